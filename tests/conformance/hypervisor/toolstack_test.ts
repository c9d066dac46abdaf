/** The toolstack over real domains of small kernels: files, lives and ends, listings, what is refused. */

import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { dirname } from "node:path";
import { HYPERCALL } from "../../../core/abi/hypercalls.ts";
import { SHUTDOWN } from "../../../core/abi/operations.ts";
import type { Cycles } from "../../../core/clock/clock.ts";
import type { SchedulerName } from "../../../core/hypervisor/scheduling/ports.ts";
import { BROADCAST_MAC, ethernetFrame, parseMac, pcapHeader } from "../../../devices/net/mod.ts";
import { elfImage } from "../../../guests/linux/test_images.ts";
import { Host } from "../../../testbed/host/host.ts";
import { runVerb, Toolstack, VERBS, type XlSession } from "../../../testbed/toolstack/mod.ts";
import { pvKernelOf, VIRT_BASE } from "./pv_kernel.ts";

const SCRATCH = VIRT_BASE + 0x8000;

/** Kernels by name; each lies as a file beside its configuration. */
const KERNELS: Readonly<Record<string, Uint8Array>> = {
  endless: pvKernelOf("again: jmp again"),
  crashes: pvKernelOf("ud2"),
  plain: elfImage(),
  ...Object.fromEntries((["poweroff", "reboot"] as const).map((reason) => [
    reason,
    pvKernelOf(`
        mov ebx, 100000
wait:   dec ebx
        jnz wait
        mov dword [${SCRATCH}], ${SHUTDOWN[reason]}
        mov eax, ${HYPERCALL.sched_op}
        mov edi, 2
        mov esi, ${SCRATCH}
        syscall`),
  ])),
};

/** Runs `body` with a host, its toolstack, and a directory with kernels and configurations. */
async function withTools(
  body: (
    box: { tools: Toolstack; session: XlSession; file: (text: string) => string },
  ) => Promise<void>,
  scheduler: SchedulerName = "credit",
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    for (const [name, bytes] of Object.entries(KERNELS)) {
      await Deno.writeFile(`${directory}/${name}.elf`, bytes);
    }
    await Deno.writeFile(`${directory}/disk.img`, new Uint8Array(1 << 16));
    const tools = Toolstack.of(await Host.boot({ memory: "64MiB", cpus: 2, scheduler }));
    const session: XlSession = {
      tools,
      destination: (name) => Promise.reject(new RangeError(`no host ${name}`)),
      top: { cycle: 0, running: new Map() },
      files: { write: () => Promise.reject(), read: () => Promise.reject() },
      console: () => Promise.resolve(""),
    };
    let files = 0;
    const file = (text: string) => {
      const path = `${directory}/${files++}.cfg`;
      Deno.writeTextFileSync(path, text);
      return path;
    };
    await body({ tools, session, file });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const config = (kernel: string, more = "", name = kernel) =>
  `name = "${name}"\nkernel = "./${kernel}.elf"\nmemory = 8\n${more}`;

const SECOND = 1e9 as Cycles;
const namesOf = ({ host }: Toolstack) => host.domains.map(({ name, id }) => `${name} ${id}`);

/** A kernel, a setting, and which domains there are when it has ended (or while it goes on and on). */
const ENDS: readonly [kernel: string, setting: string, domains: string[]][] = [
  ["poweroff", "", []],
  ["poweroff", `on_poweroff = "preserve"`, ["poweroff 1"]],
  ["crashes", "", []],
  ["crashes", `on_crash = "preserve"`, ["crashes 1"]],
  ["reboot", `on_reboot = "destroy"`, []],
];
for (const [kernel, setting, domains] of ENDS) {
  Deno.test(`a domain that ends by ${kernel} with ${setting || "xl's defaults"} leaves ${domains.join() || "nothing"}`, () =>
    withTools(async ({ tools, file }) => {
      const free = tools.host.hypervisor.frames.freeFrames;
      await tools.create(file(config(kernel, setting)));
      await tools.run({ forCycles: SECOND });
      assertEquals(namesOf(tools), domains);
      for (const domain of [...tools.host.domains]) tools.destroy(domain);
      assertEquals(tools.host.hypervisor.frames.freeFrames, free);
    }));
}

Deno.test("a domain that reboots starts again under its name, with another number", () =>
  withTools(async ({ tools, file }) => {
    await tools.create(file(config("reboot")));
    await tools.run({ forCycles: 250_000 as Cycles });
    assertEquals(tools.host.domains.map(({ name }) => name), ["reboot"]);
    assertEquals(tools.host.domains[0].id > 1, true);
  }));

Deno.test("list, vcpu-list and info have xl's columns", () =>
  withTools(async ({ tools, session, file }) => {
    await tools.create(file(config("endless", `vcpus = 1\nmaxvcpus = 2\ncpus = "1"`, "web1")));
    await tools.create(file(config("endless", "", "web2")), { paused: true });
    await tools.run({ forCycles: SECOND });
    assertEquals((await runVerb(session, ["list"])).split("\n"), [
      "Name                                        ID   Mem VCPUs\tState\tTime(s)",
      "Domain-0                                     0     0     1     -b----       0.0",
      "web1                                         1     8     1     r-----       1.0",
      "web2                                         2     8     0     --p---       0.0",
    ]);
    assertEquals((await runVerb(session, ["vcpu-list", "web1"])).split("\n"), [
      "Name                                ID  VCPU   CPU State   Time(s)  Affinity (Hard / Soft)",
      "web1                                 1     0     1   r--       1.0  1 / all",
      "web1                                 1     1     -   --p       0.0  1 / all",
    ]);
    const info = await runVerb(session, ["info"]);
    assertStringIncludes(info, "total_memory           : 64\n");
    assertStringIncludes(info, "xen_scheduler          : credit\n");
    assertStringIncludes(info, "xen_caps               : xen-3.0-x86_64 xen-3.0-x86_32p \n");
    assertStringIncludes(info, "platform_params        : virt_start=0xffff800000000000\n");
    assertStringIncludes(
      await runVerb(session, ["uptime", "web1"]),
      "web1".padEnd(37) + "1 0:00:01",
    );
    assertStringIncludes(
      await runVerb(session, ["top"]),
      "      web1 -----r          1  100.0       8192   12.5",
    );
  }));

/** What two domains of one CPU do, and their letters in `xl list`, in xentop and in `xl vcpu-list`. */
Deno.test("one runs, the other only waits for the CPU, and one that crashed has also shut down", () =>
  withTools(async ({ tools, session, file }) => {
    await tools.create(file(config("endless", `cpus = "1"`, "web1")));
    await tools.create(file(config("endless", `cpus = "1"`, "web2")));
    await tools.create(file(config("crashes", `on_crash = "preserve"`)));
    await tools.run({ forCycles: SECOND });
    const lettersOf = async (verb: string) =>
      (await runVerb(session, [verb])).split("\n").flatMap((row) =>
        row.match(/(?<= )[dsbcpr-]{3,6}(?= )/)?.[0] ?? []
      );
    assertEquals((await lettersOf("list")).slice(1).sort(), ["------", "---sc-", "r-----"]);
    assertEquals((await lettersOf("top")).slice(1).sort(), ["------", "-----r", "-s-c--"]);
    assertEquals((await lettersOf("vcpu-list")).slice(1, 3).sort(), ["---", "r--"]);
  }));

Deno.test("pause and unpause stop a domain and let it go on", () =>
  withTools(async ({ tools, session, file }) => {
    const domain = await tools.create(file(config("endless")));
    await runVerb(session, ["pause", "endless"]);
    await runVerb(session, ["pause", "1"]);
    await tools.run({ forCycles: SECOND });
    const ran = () => tools.host.dispatcher.domainCycles(domain.id);
    assertEquals(ran(), 0);
    await runVerb(session, ["unpause", "endless"]);
    await tools.run({ forCycles: 1000 as Cycles });
    assertEquals(ran() > 0, true);
  }));

Deno.test("weights and pins change while domains run", () =>
  withTools(async ({ tools, session, file }) => {
    await tools.create(file(config("endless", "cpu_weight = 512", "heavy")));
    await tools.create(file(config("endless", "", "light")));
    for (const name of ["heavy", "light"]) await runVerb(session, ["vcpu-pin", name, "all", "0"]);
    assertEquals(await runVerb(session, ["sched-credit", "-d", "heavy"]), "weight=512 cap=0");
    assertEquals(
      await runVerb(session, ["sched-credit", "-d", "light", "-w", "128", "-c", "50"]),
      "weight=128 cap=50",
    );
    assertStringIncludes(
      await runVerb(session, ["sched-credit"]),
      "heavy                                1        512          0",
    );
    await assertRejects(
      () => runVerb(session, ["sched-credit2"]),
      RangeError,
      "no cpupool of this host is scheduled by credit2",
    );
    await assertRejects(
      () => runVerb(session, ["sched-credit", "-d", "light", "-w", "0"]),
      RangeError,
      "weight must be",
    );
  }));

Deno.test("memory, virtual CPUs and names are told to the guest through the store", () =>
  withTools(async ({ tools, session, file }) => {
    await tools.create(file(config("endless", "maxmem = 16\nvcpus = 2")));
    const node = (path: string) => tools.host.zero.tools.readText(`/local/domain/1/${path}`);
    assertEquals([node("memory/target"), node("memory/static-max")], ["8192", "16384"]);
    await runVerb(session, ["mem-set", "endless", "12"]);
    assertEquals([node("memory/target"), tools.host.domains[0].domain.maxPages], ["12288", 3072]);
    await runVerb(session, ["mem-set", "endless", "4096k"]);
    assertEquals(node("memory/target"), "4096");
    await assertRejects(
      () => runVerb(session, ["mem-set", "endless", "17"]),
      RangeError,
      "may have 16 MiB at most",
    );
    await runVerb(session, ["vcpu-set", "endless", "1"]);
    assertEquals([node("cpu/0/availability"), node("cpu/1/availability")], ["online", "offline"]);
    await runVerb(session, ["rename", "endless", "else"]);
    assertEquals([node("name"), namesOf(tools)], ["else", ["else 1"]]);
    await runVerb(session, ["shutdown", "else"]);
    assertEquals(node("control/shutdown"), "poweroff");
    await runVerb(session, ["sysrq", "else", "s"]);
    assertEquals(node("control/sysrq"), "s");
  }));

/** What is sent to a card's port is in its file as a pcap record, until that is switched off. */
async function expectCaptured(tools: Toolstack, session: XlSession): Promise<void> {
  const path = await Deno.makeTempFile();
  const peer = tools.host.zero.bridge("br0").attach("peer");
  const frame = ethernetFrame(
    BROADCAST_MAC,
    parseMac("00:16:3e:00:00:99"),
    0x88b5,
    new Uint8Array(50),
  );
  const send = async () => {
    peer.send(frame);
    await tools.run({ forCycles: 1_000_000 as Cycles });
  };
  await runVerb(session, ["network-capture", "1", "0", path]);
  await send();
  await runVerb(session, ["network-capture", "1", "0", "off"]);
  await send();
  const bytes = await Deno.readFile(path);
  assertEquals(bytes.length, pcapHeader().length + 16 + frame.length);
  assertEquals(bytes.slice(-frame.length), frame);
  await Deno.remove(path);
}

Deno.test("disks and cards are listed, attached and committed", () =>
  withTools(async ({ tools, session, file }) => {
    const disk = `disk = [ 'disk.img,raw,xvda,w' ]\nvif = [ 'mac=00:16:3e:00:00:09', '' ]`;
    const domain = await tools.create(file(config("endless", disk)));
    assertStringIncludes(
      await runVerb(session, ["block-list", "1"]),
      "51712 0   1      2     /local/domain/0/backend/vbd/1/51712",
    );
    assertStringIncludes(
      await runVerb(session, ["network-list", "1"]),
      "0   0  00:16:3e:00:00:09      0     2",
    );
    await runVerb(session, ["network-attach", "1", "bridge=br1", "rate=1Mb/s"]);
    assertEquals(tools.host.zero.cardsOf(domain.id).map(({ number }) => number), [0, 1, 2]);
    await expectCaptured(tools, session);
    await runVerb(session, ["network-detach", "1", "00:16:3e:00:00:09"]);
    assertEquals(tools.host.zero.tools.readText("/local/domain/0/backend/vif/1/0/online"), "0");
    await assertRejects(
      () => runVerb(session, ["block-detach", "1", "xvdb"]),
      RangeError,
      "has no disk xvdb",
    );
    await assertRejects(
      () => runVerb(session, ["block-attach", "1", "disk.img,raw,xvda,w"]),
      RangeError,
      "has a disk xvda already",
    );
  }));

Deno.test("a disk that its guest has let go is nobody's any more, and another may take its name", () =>
  withTools(async ({ tools, session, file }) => {
    const { host } = tools;
    const path = file(config("endless", "disk = [ 'disk.img,raw,xvda,w' ]"));
    const domain = await tools.create(path);
    const disk = `${dirname(path)}/disk.img,raw,xvda,w`;
    for (let round = 0; round < 2; round++) {
      await host.run({ forCycles: 1_000_000 as Cycles });
      await runVerb(session, ["block-detach", "1", "xvda"]);
      tools.blockCommit(domain, "xvda");
      // The guest's half, which this kernel does not have.
      host.zero.tools.write("/local/domain/1/device/vbd/51712/state", "6");
      await host.run({ forCycles: 1_000_000 as Cycles });
      assertEquals(host.zero.disksOf(domain.id), []);
      assertThrows(() => tools.blockCommit(domain, "xvda"), RangeError, "no disk xvda that is");
      if (round === 0) await runVerb(session, ["block-attach", "1", disk]);
    }
    tools.destroy(domain);
    assertEquals(host.domains.length, 0);
  }));

Deno.test("what becomes of one domain on another host", () =>
  withTools(async ({ tools, session, file }) => {
    await tools.create(file(config("endless")));
    await assertRejects(
      () => runVerb(session, ["migrate", "endless", "elsewhere"]),
      RangeError,
      "no host elsewhere",
    );
    const forCycles = 1_000_000 as Cycles;
    await assertRejects(
      () => tools.save("endless", { forCycles }),
      Error,
      "endless did not suspend itself",
    );
    assertEquals(namesOf(tools), ["endless 1"]);
  }));

/** What is wrong with a file, and what is said; nothing is left behind. */
const MISTAKES: readonly [claim: string, text: string, complaint: string][] = [
  [
    "an unknown key",
    config("endless", "memroy = 3"),
    "unknown setting memroy: did you mean memory?",
  ],
  ["a kernel that is not there", config("nowhere"), "nowhere.elf"],
  ["a kernel that is none", `name = "a"\nkernel = "./disk.img"\nmemory = 8`, "ELF"],
  ["a kernel without Xen's notes", config("plain"), "no Xen notes"],
  [
    "more memory than there is",
    `name = "a"\nkernel = "./endless.elf"\nmemory = 1024`,
    "wants 1024 MiB, and the host has",
  ],
  [
    "a disk that is not there",
    config("endless", "disk = [ 'no.img,raw,xvda,w' ]"),
    "no.img is not there",
  ],
  [
    "two cards with one MAC address",
    config("endless", "vif = [ 'mac=00:16:3e:00:00:01', 'mac=00:16:3e:00:00:01' ]"),
    "00:16:3e:00:00:01 is the MAC address of vif",
  ],
  ["a CPU that is not there", config("endless", `cpus = "7"`), "which are 0-1"],
  ["a name that is taken", config("endless", "", "taken"), "there is a domain taken already"],
];
for (const [claim, text, complaint] of MISTAKES) {
  Deno.test(`${claim} is one clear error, and nothing is left behind`, () =>
    withTools(async ({ tools, file }) => {
      await tools.create(file(config("endless", "", "taken")));
      const { freeFrames } = tools.host.hypervisor.frames;
      const error = await assertRejects(() => tools.create(file(text)), Error);
      assertStringIncludes(error.message, complaint);
      assertEquals(namesOf(tools), ["taken 1"]);
      assertEquals(tools.host.hypervisor.frames.freeFrames, freeFrames);
      assertEquals([...tools.host.zero.store.list("/local/domain/2")], []);
    }));
}

Deno.test("a disk file that may only be read is refused for writing", () =>
  withTools(async ({ tools, file }) => {
    const path = file(config("endless", "disk = [ '/proc/version,raw,xvda,w' ]"));
    await assertRejects(() => tools.create(path), Error, "the disk /proc/version");
  }));

Deno.test("verbs that are wrong are told what is right", () =>
  withTools(async ({ tools, session }) => {
    const wrong: readonly [command: string[], complaint: string][] = [
      [["lst"], "there is no verb lst: did you mean list?"],
      [["pause"], "usage: pause Domain"],
      [["pause", "nobody"], "there is no domain nobody: there are none"],
      [["pause", "Domain-0"], "Domain-0 belongs to the host"],
      [["list", "--long"], "usage: list [Domain]"],
      [["vcpu-set", "1", "x"], "expected a whole number for count, found x"],
      [["debug-keys", "Z"], "there is no debug key Z; there are h, q, r"],
    ];
    for (const [command, complaint] of wrong) {
      const error = await assertRejects(() => runVerb(session, command), Error);
      assertStringIncludes(error.message, complaint);
    }
    assertThrows(() => tools.trigger("nobody", "nmi"), RangeError);
  }));

Deno.test("debug keys write to the log that dmesg shows", () =>
  withTools(async ({ tools, session, file }) => {
    await tools.create(file(config("endless")));
    await tools.run({ forCycles: SECOND });
    await runVerb(session, ["debug-keys", "hqremt"]);
    const log = await runVerb(session, ["dmesg"]);
    for (
      const line of [
        "key 'q' => ",
        "CPU0 Pool-0 (credit): ",
        "1: interdomain",
        "free frames: ",
        "d1v0: running=",
      ]
    ) {
      assertStringIncludes(log, line);
    }
  }));

Deno.test("xentrace writes who ran on which CPU, for Perfetto", () =>
  withTools(async ({ tools, session, file }) => {
    await tools.create(file(config("endless")));
    const path = file("");
    await runVerb(session, ["xentrace", "10ms", path]);
    const { traceEvents } = JSON.parse(await Deno.readTextFile(path));
    const ran = traceEvents.filter((event: { name: string; ph: string }) =>
      event.name === "d1v0" && event.ph === "X"
    );
    assertEquals(
      ran.reduce((total: number, { dur }: { dur: number }) => total + dur, 0) > 9_000,
      true,
    );
  }));

Deno.test("every verb has its usage and its help", async () => {
  await withTools(async ({ session }) => {
    const help = await runVerb(session, ["help"]);
    for (const name of Object.keys(VERBS)) assertStringIncludes(help, `  ${name}`);
  });
});
