/** Debian as a paravirtual domain under xl's verbs: a file, its balloon, a trigger, saving, restoring, the end. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Host } from "../../testbed/host/host.ts";
import {
  runVerb,
  savedDomainFiles,
  Toolstack,
  type XlSession,
} from "../../testbed/toolstack/mod.ts";
import { requireDebian } from "./debian_image.ts";

const CONFIG = `
name = "web1"
kernel = "debian"
extra = "console=hvc0 quiet"
disk = [ 'disk.img,raw,xvda,w', 'disk.img,raw,xvdb,r' ]
vif = [ 'mac=00:16:3e:00:00:09' ]
memory = 128
maxmem = 192
`;

Deno.test("Debian amd64 under xl: devices, balloon down and up, NMI, save, restore, shutdown from outside", async () => {
  if (!await requireDebian("amd64")) return;
  const directory = await Deno.makeTempDir();
  const tools = Toolstack.of(await Host.boot({ memory: "256MiB" }));
  const session: XlSession = {
    tools,
    destination: (name) => Promise.reject(new RangeError(name)),
    top: { cycle: 0, running: new Map() },
    files: savedDomainFiles,
    console: () => Promise.resolve(""),
  };
  const xl = (...command: string[]) => runVerb(session, command);
  /** What `list` says of the domain's memory and state. */
  const listed = async () =>
    /web1 +\d+ +(\d+) +\d+ +(\S+)/.exec(await xl("list"))?.slice(1) ?? null;
  /** Of each disk and card: its number, and the state of its back end. */
  const devices = async () =>
    [await xl("block-list", "web1"), await xl("network-list", "web1")].flatMap((list) =>
      list.split("\n").slice(1).map((row) => {
        const words = row.trim().split(/\s+/);
        return `${words[0]}:${words.at(-2)}`;
      })
    );
  const prompt = () => xl("wait", "web1", "xenarium# ");
  try {
    await Deno.writeTextFile(`${directory}/web1.cfg`, CONFIG);
    await Deno.writeFile(`${directory}/disk.img`, new Uint8Array(1 << 20));
    await xl("create", `${directory}/web1.cfg`);
    await prompt();
    assertEquals((await listed())?.[0], "128");
    assertEquals(await devices(), ["51712:4", "51728:4", "0:4"]);
    await xl("block-detach", "web1", "xvdb");
    await xl("run", "1s");
    assertEquals(await devices(), ["51712:4", "0:4"]);
    for (const size of [104, 176]) {
      await xl("mem-set", "web1", `${size}`);
      await xl("run", "2s");
      // The kernel does not count what it never had: the hole below 1 MiB.
      assert([size, size + 1].includes(Number((await listed())?.[0])), await xl("list"));
    }
    await xl("trigger", "web1", "nmi");
    await xl("send", "web1", "cd /tmp; echo kept > note; dmesg | grep -c NMI.received");
    await prompt();
    assertStringIncludes(await xl("log", "web1"), "\n1\r\n");
    await xl("save", "web1", `${directory}/saved`);
    assertEquals(await listed(), null);
    await xl("restore", `${directory}/saved`);
    await xl("send", "web1", "cat note; ls /sys/class/block /sys/class/net");
    await xl("wait", "web1", "kept");
    await prompt();
    assertEquals(await devices(), ["51712:4", "0:4"]);
    await xl("shutdown", "-w", "web1");
    assertEquals(await listed(), null);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
