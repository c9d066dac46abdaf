import { assertEquals, assertThrows } from "@std/assert";
import { domainSettings } from "./domain_settings.ts";

const WHOLE = `
# A web server, as the example files of Xen's packages have them.
type = "pv"
name = "web1"
uuid = "XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX"
kernel = "debian"
extra = "console=hvc0"
root = "/dev/xvda"
memory = 128
maxmem = 256
vcpus = 2
maxvcpus = 4
cpus = "0-1"
cpu_weight = 512
cap = 50
vif = [ 'mac=00:16:3e:00:00:01,bridge=br0,rate=10Mb/s,backend=net0' ]
disk = [ 'phy:web1.img,raw,xvda,w', 'data.img,raw,xvdb,r,backend=storage' ]
on_crash = 'preserve'
`;

Deno.test("a whole file is a domain", () => {
  assertEquals(domainSettings(WHOLE), {
    name: "web1",
    kernel: "debian",
    ramdisk: undefined,
    cmdline: "root=/dev/xvda console=hvc0",
    memoryMib: 128,
    maxmemMib: 256,
    vcpus: 2,
    maxvcpus: 4,
    cpus: "0-1",
    cpusSoft: undefined,
    pool: undefined,
    weight: 512,
    cap: 50,
    disks: [
      { target: "web1.img", vdev: "xvda", readonly: false, backend: undefined },
      { target: "data.img", vdev: "xvdb", readonly: true, backend: "storage" },
    ],
    vifs: [{
      mac: "00:16:3e:00:00:01",
      bridge: "br0",
      rate: "10Mb/s",
      vifname: undefined,
      backend: "net0",
    }],
    onPoweroff: "destroy",
    onReboot: "restart",
    onCrash: "preserve",
  });
});

Deno.test("what is left out has xl's defaults", () => {
  const { vcpus, maxvcpus, maxmemMib, cmdline, disks, onReboot } = domainSettings(
    `name = "a"; kernel = "k"; memory = 64`,
  );
  assertEquals([vcpus, maxvcpus, maxmemMib, cmdline, disks, onReboot], [
    1,
    1,
    64,
    "",
    [],
    "restart",
  ]);
});

const base = `name = "a"\nkernel = "k"\nmemory = 64\n`;
const MISTAKES: readonly [source: string, complaint: string][] = [
  [`kernel = "k"\nmemory = 64`, `a.cfg: a domain needs a name: name = "web1"`],
  [`name = "a"\nmemory = 64`, `a.cfg: a domain needs a kernel: kernel = "debian"`],
  [`name = "a"\nkernel = "k"`, "a.cfg: a domain needs memory, in MiB: memory = 128"],
  [`${base}memroy = 3`, "a.cfg:4: unknown setting memroy: did you mean memory?"],
  [`${base}type = "hvm"`, `a.cfg:4: type is one of pv, found "hvm"`],
  [`${base}vcpus = 0`, "a.cfg:4: vcpus is a number from 1 to 128, found 0"],
  [`${base}vcpus = "two"`, `a.cfg:4: vcpus is a number, found "two"`],
  [`${base}maxmem = 32`, "a.cfg:4: maxmem is less than memory"],
  [`${base}disk = "a"`, `a.cfg:4: disk is a list of texts, found "a"`],
  [`${base}disk = [ 'a' ]`, `a.cfg:4: disk "a": expected a virtual device`],
  [`${base}vif = [ 'bridg=br0' ]`, `a.cfg:4: vif "bridg=br0": unknown bridg: did you mean bridge?`],
  [`${base}on_reboot = "again"`, "a.cfg:4: on_reboot is one of destroy, restart,"],
];
for (const [source, complaint] of MISTAKES) {
  Deno.test(`a mistake is told: ${complaint}`, () => {
    assertThrows(() => domainSettings(source, "a.cfg"), Error, complaint);
  });
}
