/** Any log once more, be it of a machine or of a host: what the command line and the REPL replay. */

import type { Cycle } from "../core/clock/clock.ts";
import type { HostDomain } from "./host/host_domain.ts";
import { type LogSubject, readContent, subjectOf } from "./replay/log_file.ts";
import { readLogFile } from "./replay/replay.ts";

/** How far, and who sees it. */
export interface LogReplayOptions {
  /** Where to stop; default: where the log ends. */
  readonly to?: Cycle;
  /** The snapshot that the log begins from, if it is not beside it. */
  readonly snapshot?: string;
  readonly signal?: AbortSignal;
  /** What consoles print; lines of a host's domains begin with the domain's name. */
  readonly output?: (bytes: Uint8Array) => void;
}

/** A replay that has come to where it was wanted. */
export interface LogReplay {
  readonly subject: LogSubject;
  /** How the machine or the host is called in this process. */
  readonly name: string;
  readonly now: Cycle;
  /** The trace hash. */
  readonly hash: string;
  readonly recordedTo: Cycle;
  readonly checked: number;
  readonly tornBytes: number;
}

/** Carries out {@link LogReplay}; see {@link replayLog}. */
export type ReplayLogFile = (path: string, options?: LogReplayOptions) => Promise<LogReplay>;

/** What a log is of. Rejects with a `SnapshotError` if it is none. */
export async function logSubject(path: string): Promise<LogSubject> {
  return await readLogFile(path, (bytes) => subjectOf(readContent(bytes).start));
}

/** Replays a log of either kind. Rejects with a `SnapshotError` that says what is wrong with it. */
export const replayLog: ReplayLogFile = async (path, options = {}) => {
  return await logSubject(path) === "host"
    ? await ofHost(path, options)
    : await ofMachine(path, options);
};

async function ofMachine(
  path: string,
  { output, ...options }: LogReplayOptions,
): Promise<LogReplay> {
  const { replay } = await import("./replay_machine.ts");
  const { machine, recordedTo, checked, tornBytes } = await replay(path, {
    ...options,
    onStart: (machine) => output && machine.console.onOutput(output),
  });
  const { name, now, trace: { hash } } = machine;
  return { subject: "machine", name, now, hash, recordedTo, checked, tornBytes };
}

async function ofHost(path: string, { output, ...options }: LogReplayOptions): Promise<LogReplay> {
  const { replayHost } = await import("./replay_host.ts");
  const { hosts } = await import("./host_registry.ts");
  const { host, recordedTo, checked, tornBytes } = await replayHost(path, {
    ...options,
    onDomain: (domain) => output && domain.console.onOutput(underName(domain, output)),
  });
  const { clock: { reached: now }, trace: { hash } } = host.hardware;
  const [name] = [...hosts].find(([, each]) => each === host)!;
  return { subject: "host", name, now, hash, recordedTo, checked, tornBytes };
}

/** Writes `name: ` before each line. */
function underName(
  domain: HostDomain,
  write: (bytes: Uint8Array) => void,
): (bytes: Uint8Array) => void {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  let atStart = true;
  return (bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    const inner = text.replace(/\n(?=.)/gs, `\n${domain.name}: `);
    write(encoder.encode(atStart ? `${domain.name}: ${inner}` : inner));
    atStart = text.endsWith("\n");
  };
}
