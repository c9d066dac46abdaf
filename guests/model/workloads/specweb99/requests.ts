/**
 * SPECweb99's requests: what is asked for, and how many times over one connection.
 *
 * Figures: SOSP 2003, section 4.1; Ruan and Pai, USENIX 2004. How the dynamic requests that are neither POSTs nor CGI are shared
 * out between the two kinds of GET is the benchmark's commonly quoted 42 and 41.5 of 100.
 */

import type { Random } from "../../../../core/lib/random.ts";
import { cumulative, type FileChooser, sizeOf, type SpecFile } from "./file_set.ts";

/** What a request asks the server to do, and how many of 10,000 do. */
export const REQUEST_WEIGHTS = {
  static: 7000,
  /** A file wrapped by a script. */
  standardGet: 1260,
  /** The same with an advertisement chosen by a cookie. */
  customAd: 1245,
  /** A form that is appended to a log. */
  post: 480,
  /** The standard GET in a process of its own. */
  cgi: 15,
} as const;

export type RequestKind = keyof typeof REQUEST_WEIGHTS;

/** A request, as the client says it and the server hears it. */
export interface SpecRequest extends SpecFile {
  readonly kind: RequestKind;
  /** The connection goes on afterwards. */
  readonly keep: boolean;
  /** Bytes of the file that are left out; default 0. */
  readonly skipped?: number;
}

/** Bytes of a request: its line and headers; a form's body comes with it. */
export const REQUEST_BYTES = { get: 250, post: 420 } as const;
/** Bytes before the file in an answer, and around it if it is dynamic. */
export const ANSWER_BYTES = { header: 280, dynamic: 500 } as const;

/** Of 100 connections, those for a single request; the others have 5 to 15. */
const SINGLE_PERCENT = 30;
const REQUESTS = { least: 5, most: 15 } as const;

/** Of all requests, those of connections for one, then for each larger number, summed up. */
const REQUESTS_ASKED = requestsAsked();

const KINDS = Object.keys(REQUEST_WEIGHTS) as RequestKind[];
const KIND_SUMS = cumulative(Object.values(REQUEST_WEIGHTS));

/** How many requests a new connection has. */
export function requestsOfConnection(random: Random): number {
  const isSingle = random.unit() * 100 < SINGLE_PERCENT;
  return isSingle ? 1 : random.between(REQUESTS.least, REQUESTS.most);
}

/** Draws a request. */
export function drawRequest(random: Random, files: FileChooser, keep: boolean): SpecRequest {
  const kind = KINDS[random.pick(KIND_SUMS)];
  const { fileClass, directory, file } = files.choose(random);
  return { kind, fileClass, directory, file, keep };
}

/** How many requests a connection that is found at a random instant still has, the present one included. */
export function requestsOfConnectionFound(random: Random): number {
  const place = random.pick(REQUESTS_ASKED);
  return place === 0 ? 1 : random.between(1, REQUESTS.least + place - 1);
}

/** Draws the request whose answer a client is found reading at a random instant, as one for what is left of it. */
export function drawRequestFound(random: Random, files: FileChooser, keep: boolean): SpecRequest {
  const kind = KINDS[random.pick(KIND_SUMS)];
  const chosen = files.chooseOnItsWay(random);
  const skipped = Math.floor(sizeOf(chosen) * random.unit());
  return { kind, ...chosen, keep, skipped };
}

/** Bytes that the server answers with. */
export function answerBytes(request: SpecRequest): number {
  const around = request.kind === "static" ? 0 : ANSWER_BYTES.dynamic;
  return ANSWER_BYTES.header + around + sizeOf(request) - (request.skipped ?? 0);
}

/** Bytes that the client sends. */
export function requestBytes({ kind }: SpecRequest): number {
  return kind === "post" ? REQUEST_BYTES.post : REQUEST_BYTES.get;
}

function requestsAsked(): number[] {
  const numbers = REQUESTS.most - REQUESTS.least + 1;
  const each = (100 - SINGLE_PERCENT) / numbers;
  const longer = Array.from({ length: numbers }, (_, place) => each * (REQUESTS.least + place));
  return cumulative([SINGLE_PERCENT, ...longer]);
}
