import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import type { DataModel } from "../struct_layout.ts";
import { BLKIF_REQUEST, BLKIF_REQUEST_INDIRECT } from "./blkif.ts";
import { XENCONS_INTERFACE } from "./console.ts";
import { NETIF_ENTRY_BYTES } from "./netif.ts";
import { ringEntries } from "./ring.ts";
import { XENSTORE_DOMAIN_INTERFACE } from "./xs_wire.ts";

const MODELS: readonly DataModel[] = ["lp64", "ilp32"];

// Offsets as GCC gives them for the public headers of Debian's libxen-dev 4.17, with -m64 and -m32.
test("fields lie where a C compiler puts those of the public headers", () => {
  assertEquals(
    MODELS.map((model) =>
      (["id", "sector_number", "seg"] as const).map((name) => BLKIF_REQUEST.offsetOf(name, model))
    ),
    [[8, 16, 24], [4, 12, 20]],
  );
  assertEquals(
    MODELS.map((model) =>
      (["id", "sector_number", "handle", "indirect_grefs"] as const).map((name) =>
        BLKIF_REQUEST_INDIRECT.offsetOf(name, model)
      )
    ),
    [[8, 16, 24, 28], [4, 12, 20, 24]],
  );
  assertEquals([XENCONS_INTERFACE.offsetOf("in_cons"), XENCONS_INTERFACE.offsetOf("out_prod")], [
    3072,
    3084,
  ]);
  assertEquals(
    (["req_cons", "server_features", "error"] as const).map((name) =>
      XENSTORE_DOMAIN_INTERFACE.offsetOf(name)
    ),
    [2048, 2064, 2072],
  );
});

test("a page holds 256 network entries and 32 block requests", () => {
  const sizes = [NETIF_ENTRY_BYTES.tx, NETIF_ENTRY_BYTES.rx, 112, 108];
  assertEquals(sizes.map((bytes) => ringEntries(bytes)), [256, 256, 32, 32]);
  assertEquals(ringEntries(112, 4), 128);
});
