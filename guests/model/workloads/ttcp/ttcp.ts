/** ttcp: as many bytes as asked for through one TCP connection, and how long that took. */

import { call, exit, type Program } from "../../kernel/action.ts";

/** What ttcp is told. */
export interface TtcpOptions {
  /** The other machine, and its port (the one that it listens at itself, for the receiver). */
  readonly address: number;
  readonly port: number;
  readonly bytes: number;
  /** Socket buffers; the paper's are of 128 kB. */
  readonly bufferBytes: number;
  /** Bytes of each read or write; ttcp's `-l`. */
  readonly lengthBytes: number;
}

/** The first to transfer, and the last: what the program reports. */
export interface TtcpResult {
  readonly bytes: number;
  readonly cycles: number;
}

/** `ttcp -t`: sends. Its locals are {@link TtcpOptions}; it reports a {@link TtcpResult} named `ttcp`. */
export const ttcpTransmit: Program = {
  name: "ttcp -t",
  steps: {
    open: ({ locals: { address, port, bufferBytes } }) =>
      call("connect", { address, port, bufferBytes }, "begin"),
    begin: ({ locals, value, now }) => {
      if (value < 0) return exit(-value);
      Object.assign(locals, { fd: value, begun: now, done: 0 });
      return writeMore(locals as unknown as Transfer);
    },
    next: ({ locals, value, now }) => {
      const transfer = locals as unknown as Transfer;
      if (value < 0) return exit(-value);
      transfer.done += value;
      return transfer.done < transfer.bytes ? writeMore(transfer) : report(transfer, now);
    },
    end: ({ locals: { fd } }) => call("close", { fd }, "over"),
    over: () => exit(),
  },
};

/** `ttcp -r`: listens, receives until the other closes or has sent all. Reports as {@link ttcpTransmit}. */
export const ttcpReceive: Program = {
  name: "ttcp -r",
  steps: {
    open: ({ locals: { port, bufferBytes } }) => call("listen", { port, bufferBytes }, "accept"),
    accept: ({ value }) => value < 0 ? exit(-value) : call("accept", { fd: value }, "begin"),
    begin: ({ locals, value, now }) => {
      Object.assign(locals, { fd: value, begun: now, done: 0 });
      return readMore(locals as unknown as Transfer);
    },
    next: ({ locals, value, now }) => {
      const transfer = locals as unknown as Transfer;
      transfer.done += Math.max(0, value);
      const isOver = value <= 0 || transfer.done >= transfer.bytes;
      return isOver ? report(transfer, now) : readMore(transfer);
    },
    end: ({ locals: { fd } }) => call("close", { fd }, "over"),
    over: () => exit(),
  },
};

interface Transfer extends TtcpOptions {
  fd: number;
  begun: number;
  done: number;
}

function writeMore({ fd, bytes, done, lengthBytes }: Transfer) {
  return call("write", { fd, bytes: Math.min(lengthBytes, bytes - done) }, "next");
}

function readMore({ fd, lengthBytes }: Transfer) {
  return call("read", { fd, bytes: lengthBytes }, "next");
}

function report({ done, begun }: Transfer, now: number) {
  return call("report", { name: "ttcp", value: { bytes: done, cycles: now - begun } }, "end");
}
