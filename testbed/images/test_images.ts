/** Stand-ins for kernel modules and for apt and dpkg, for the tests of this folder. */

import { gzipSync } from "node:zlib";
import { bzImage, elfImage } from "../../guests/linux/test_images.ts";
import { concatBytes } from "../../guests/linux/layout.ts";
import type { CommandResult, CommandRunner } from "./command_runner.ts";

/** A 64-bit relocatable ELF whose only content is section .modinfo with the given strings. */
export function moduleObject(info: readonly string[]): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  const modinfo = text.encode(info.map((entry) => `${entry}\0`).join(""));
  const names = text.encode("\0.modinfo\0.shstrtab\0");
  const table = 64 + modinfo.length + names.length;
  const header = new DataView(new ArrayBuffer(64));
  [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].forEach((byte, at) => header.setUint8(at, byte));
  header.setUint16(16, 1, true);
  header.setUint16(18, 62, true);
  header.setBigUint64(40, BigInt(table), true);
  header.setUint16(58, 64, true);
  header.setUint16(60, 3, true);
  header.setUint16(62, 2, true);
  const section = (name: number, type: number, offset: number, size: number) => {
    const view = new DataView(new ArrayBuffer(64));
    view.setUint32(0, name, true);
    view.setUint32(4, type, true);
    view.setBigUint64(24, BigInt(offset), true);
    view.setBigUint64(32, BigInt(size), true);
    return new Uint8Array(view.buffer);
  };
  return concatBytes([
    new Uint8Array(header.buffer),
    modinfo,
    names,
    section(0, 0, 0, 0),
    section(1, 1, 64, modinfo.length),
    section(10, 3, 64 + modinfo.length, names.length),
  ]);
}

/** The ELF kernel inside the kernel that {@link FakeDebian} serves. */
export const fakeVmlinux = elfImage();

/** Plays apt-cache, apt-get, dpkg and dpkg-deb; notes every command line. */
export class FakeDebian implements CommandRunner {
  readonly commands: string[] = [];

  constructor(
    /** Architectures in the system's package lists; others only after apt-get update. */
    readonly systemArchitectures: readonly string[],
    /** Whether downloads with the system's lists fail, as they do when the lists are old. */
    readonly listsAreOld = false,
  ) {}

  async run(
    command: string,
    args: readonly string[],
    options: { readonly cwd?: string } = {},
  ): Promise<CommandResult> {
    const own = args.some((arg) => arg.startsWith("Dir::State::lists="));
    const words = args.filter((arg, index) => arg !== "-o" && args[index - 1] !== "-o");
    this.commands.push([command, ...own ? ["(own lists)"] : [], ...words].join(" "));
    switch (`${command} ${words[0]}`) {
      case "dpkg --print-architecture":
        return ok("amd64\n");
      case "apt-cache show":
        return this.#show(words.at(-1)!, own);
      case "apt-get update":
        return ok("");
      case "apt-get download":
        return await this.#download(words[1], own, options.cwd!);
      case "dpkg-deb -x":
        await unpack(words[1], words[2]);
        return ok("");
      default:
        return failed(`unexpected: ${command} ${words.join(" ")}`);
    }
  }

  #show(wanted: string, own: boolean): CommandResult {
    const [name, architecture] = wanted.split(":");
    if (!own && !this.systemArchitectures.includes(architecture)) {
      return failed("E: No packages found");
    }
    const fields = stanzas[name];
    if (!fields) return failed("E: No packages found");
    const text = `Package: ${name}\nArchitecture: ${architecture}\n${fields}`;
    return ok(`${text}Description: first line\n more: text\n\nPackage: old\nVersion: 0\n`);
  }

  async #download(wanted: string, own: boolean, directory: string): Promise<CommandResult> {
    if (!own && this.listsAreOld) return failed("W: a warning\nE: 404 Not Found");
    const [name] = wanted.split(":");
    await Deno.writeTextFile(`${directory}/${name}_1%3a1_any.deb`, name);
    return ok("");
  }
}

const stanzas: Readonly<Record<string, string>> = {
  "linux-image-amd64":
    "Source: linux-signed (6.1+1)\nVersion: 6.1-1\nDepends: linux-image-6.1-amd64 (= 6.1-1)\n",
  "linux-image-6.1-amd64":
    "Source: linux-signed (6.1+1)\nVersion: 6.1-1\nDepends: kmod, base | x\n",
  "linux-image-686": "Version: 6.1-1\nDepends: linux-image-6.1-686 (= 6.1-1)\n",
  "linux-image-6.1-686": "Version: 6.1-1\n",
  "busybox-static": "Source: busybox\nVersion: 1:1.35\n",
};

/** Puts the files of a package into `target`. */
async function unpack(packageFile: string, target: string): Promise<void> {
  const name = await Deno.readTextFile(packageFile);
  if (name === "busybox-static") {
    await Deno.mkdir(`${target}/bin`, { recursive: true });
    return await Deno.writeTextFile(`${target}/bin/busybox`, "busybox");
  }
  const release = name.replace("linux-image-", "");
  const base = `${target}/lib/modules/${release}`;
  const modules = `${base}/kernel/drivers`;
  await Deno.mkdir(`${target}/boot`, { recursive: true });
  await Deno.mkdir(modules, { recursive: true });
  const payload = gzipSync(fakeVmlinux);
  const code = concatBytes([new Uint8Array(64), payload]);
  const kernel = bzImage({ payload_offset: 64, payload_length: payload.length }, code);
  await Deno.writeFile(`${target}/boot/vmlinuz-${release}`, kernel);
  await Deno.writeFile(`${modules}/e1000.ko`, moduleObject(["depends=ptp"]));
  await Deno.writeFile(`${modules}/ptp.ko`, moduleObject(["depends="]));
  await Deno.writeTextFile(`${base}/modules.builtin`, "kernel/drivers/scsi/sd_mod.ko\n");
}

function ok(stdout: string): CommandResult {
  return { code: 0, stdout, stderr: "" };
}

function failed(stderr: string): CommandResult {
  return { code: 100, stdout: "", stderr };
}
