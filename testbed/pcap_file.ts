/** Captures of a port as a pcap file that Wireshark opens. */

import { writeFileSync } from "node:fs";
import { PcapWriter, type Tap } from "../devices/net/mod.ts";

/** A tap that writes to a new file at `path`; each frame is in the file once it has passed. Throws if it cannot be made. */
export function pcapFile(path: string): Tap {
  writeFileSync(path, "");
  return new PcapWriter((bytes) => writeFileSync(path, bytes, { flag: "a" })).tap;
}
