/**
 * The default initramfs: busybox, an /init that mounts the kernel's file systems, loads modules, prints a
 * marker and starts a shell on the console. Built in memory, the same bytes for the same input.
 *
 * On the kernel command line, `xenarium.modules=a,b` chooses modules (`none` for none),
 * `xenarium.run="commands"` runs commands after the marker, `xenarium.script=/path` a file.
 */

import { type CpioEntry, writeCpio } from "../../guests/linux/mod.ts";
import type { KernelModule } from "./kernel_modules.ts";

/** The line that /init prints when the shell is about to start. */
export const READY_MARKER = "xenarium: ready";
/** The prompt of the shell. */
export const SHELL_PROMPT = "xenarium# ";

/** What goes into the initramfs. */
export interface InitramfsInput {
  /** A statically linked busybox of the kernel's architecture. */
  readonly busybox: Uint8Array;
  /** The kernel's release, for paths below lib/modules. */
  readonly release: string;
  /** Modules in load order. */
  readonly modules: readonly KernelModule[];
  /** The names of the modules that are loaded unless the command line says otherwise. */
  readonly load: readonly string[];
  /** Further files, for example a script. */
  readonly extra?: readonly CpioEntry[];
}

/** As process 1 it takes the signals by which busybox's `poweroff` and `reboot` ask for their work. */
const INIT = `#!/bin/busybox sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/root TERM=linux PS1='${SHELL_PROMPT}'
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mkdir -p /dev/pts
/bin/busybox mount -t devpts devpts /dev/pts
/bin/busybox --install -s
hostname xenarium
ip link set lo up

modules=$(cat /etc/xenarium/load)
run=
script=
xargs -n1 printf '%s\\n' < /proc/cmdline > /run/cmdline
while IFS= read -r word; do
  case $word in
    xenarium.modules=none) modules= ;;
    xenarium.modules=*) modules=$(echo "\${word#*=}" | tr , ' ') ;;
    xenarium.run=*) run=\${word#*=} ;;
    xenarium.script=*) script=\${word#*=} ;;
  esac
done < /run/cmdline

load() {
  name=$(echo "$1" | tr - _)
  [ -d "/sys/module/$name" ] && return
  for part in $(cat "/etc/xenarium/modules/$name" 2>/dev/null || echo "$name"); do
    base=$(basename "$part" .ko | tr - _)
    [ -d "/sys/module/$base" ] && continue
    insmod "$part" || echo "xenarium: module $base (for $name) cannot be loaded"
  done
}
for module in $modules; do load "$module"; done

echo '${READY_MARKER}'
if [ -n "$run" ]; then
  sh -c "$run"
  echo "xenarium: commands ended with status $?"
fi
if [ -n "$script" ]; then
  sh "$script"
  echo "xenarium: $script ended with status $?"
fi
cd /root
setsid cttyhack sh < /dev/console &
trap 'sync; poweroff -f' USR2
trap 'sync; reboot -f' TERM
wait $!
echo 'xenarium: the shell has ended'
sync
poweroff -f
`;

const DIRECTORIES = [
  "bin",
  "dev",
  "etc",
  "etc/xenarium",
  "etc/xenarium/modules",
  "mnt",
  "proc",
  "root",
  "run",
  "sbin",
  "sys",
  "tmp",
  "usr",
  "usr/bin",
  "usr/sbin",
] as const;

/** Builds the archive. */
export function buildInitramfs(input: InitramfsInput): Uint8Array<ArrayBuffer> {
  const base = `lib/modules/${input.release}`;
  const entries: CpioEntry[] = [
    ...DIRECTORIES.map((path) => ({ kind: "directory", path } as const)),
    { kind: "character", path: "dev/console", major: 5, minor: 1 },
    { kind: "character", path: "dev/null", mode: 0o666, major: 1, minor: 3 },
    file("bin/busybox", input.busybox, 0o755),
    { kind: "symlink", path: "bin/sh", target: "busybox" },
    text("init", INIT, 0o755),
    text("etc/passwd", "root::0:0:root:/root:/bin/sh\n"),
    text("etc/group", "root:x:0:\n"),
    text("etc/xenarium/load", input.load.join(" ") + "\n"),
    ...input.modules.map((module) => file(`${base}/${module.path}`, module.bytes)),
    ...loadLists(input, base),
    text(`${base}/modules.dep`, modulesDep(input.modules)),
    ...input.extra ?? [],
  ];
  return writeCpio(entries);
}

function file(path: string, data: Uint8Array, mode = 0o644): CpioEntry {
  return { kind: "file", path, mode, data };
}

function text(path: string, content: string, mode = 0o644): CpioEntry {
  return file(path, new TextEncoder().encode(content), mode);
}

/** For each module a file that lists what to insert, in order. */
function loadLists({ modules }: InitramfsInput, base: string): CpioEntry[] {
  return modules.map((module, index) => {
    const needed = closure(module, modules.slice(0, index));
    const paths = [...needed, module].map(({ path }) => `/${base}/${path}\n`);
    return text(`etc/xenarium/modules/${module.name}`, paths.join(""));
  });
}

/** What `module` needs, directly or not, in load order. */
function closure(module: KernelModule, before: readonly KernelModule[]): KernelModule[] {
  const needed = new Set(module.depends);
  for (const other of before.toReversed()) {
    if (needed.has(other.name)) other.depends.forEach((name) => needed.add(name));
  }
  return before.filter(({ name }) => needed.has(name));
}

/** The file that modprobe reads (modules.dep(5)): each module's path and those that it needs, last first. */
function modulesDep(modules: readonly KernelModule[]): string {
  return modules.map((module, index) => {
    const needed = closure(module, modules.slice(0, index)).toReversed().map(({ path }) => path);
    return `${[`${module.path}:`, ...needed].join(" ")}\n`;
  }).join("");
}
