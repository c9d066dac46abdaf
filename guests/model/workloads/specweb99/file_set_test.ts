import { assert, assertEquals } from "@std/assert";
import { Random } from "../../../../core/lib/random.ts";
import { test } from "../../../../core/lib/testing.ts";
import {
  CLASS_WEIGHTS,
  directoriesFor,
  DIRECTORY_BYTES,
  FILE_WEIGHTS,
  FileChooser,
  sizeOf,
} from "./file_set.ts";
import {
  answerBytes,
  drawRequest,
  drawRequestFound,
  REQUEST_WEIGHTS,
  requestsOfConnection,
  requestsOfConnectionFound,
} from "./requests.ts";

const DRAWS = 200_000;

test("a directory's 36 files are of the benchmark's sizes, 5,119,484 bytes in all", () => {
  const row = (fileClass: number) => [1, 5, 9].map((file) => sizeOf({ fileClass, file }));
  assertEquals([0, 1, 2, 3].map(row), [
    [102, 512, 921],
    [1024, 5120, 9216],
    [10240, 51200, 92160],
    [102400, 512000, 921600],
  ]);
  assertEquals(DIRECTORY_BYTES, 5_119_484);
  // 3.3 GB for 1000 connections (SOSP 2003, section 4.3).
  assertEquals(directoriesFor(1000), 685);
});

test("classes and files are drawn by their weights, directories by their rank", () => {
  const random = new Random(1);
  const chooser = new FileChooser(100);
  const classes = [0, 0, 0, 0];
  const files = Array<number>(9).fill(0);
  const directories = Array<number>(100).fill(0);
  for (let draw = 0; draw < DRAWS; draw++) {
    const { fileClass, file, directory } = chooser.choose(random);
    classes[fileClass]++;
    files[file - 1]++;
    directories[directory]++;
  }
  CLASS_WEIGHTS.forEach((weight, index) => near(classes[index], weight / 100));
  FILE_WEIGHTS.forEach((weight, index) => near(files[index], weight / 999));
  const harmonic = directories.reduce((sum, _, rank) => sum + 1 / (rank + 1), 0);
  [0, 1, 9, 99].forEach((rank) => near(directories[rank], 1 / (rank + 1) / harmonic));
});

test("a mean answer has 14.7 kB, a mean connection 7.3 requests, and 3 of 10 requests are dynamic", () => {
  const random = new Random(2);
  const chooser = new FileChooser(100);
  let [bytes, requests, isDynamic] = [0, 0, 0];
  for (let draw = 0; draw < DRAWS; draw++) {
    const request = drawRequest(random, chooser, false);
    bytes += sizeOf(request);
    assert(answerBytes(request) > sizeOf(request));
    requests += requestsOfConnection(random);
    if (request.kind !== "static") isDynamic++;
  }
  assert(Math.abs(bytes / DRAWS - 14_700) < 400, `${bytes / DRAWS}`);
  assert(Math.abs(requests / DRAWS - 7.3) < 0.05, `${requests / DRAWS}`);
  near(isDynamic, 0.3);
  assertEquals(Object.values(REQUEST_WEIGHTS).reduce((sum, each) => sum + each, 0), 10_000);
});

test("an answer that is found on its way is a long one, on average half through; so is its connection", () => {
  const random = new Random(3);
  const chooser = new FileChooser(100);
  const classes = [0, 0, 0, 0];
  let [left, requests] = [0, 0];
  for (let draw = 0; draw < DRAWS; draw++) {
    const request = drawRequestFound(random, chooser, false);
    classes[request.fileClass]++;
    left += 1 - request.skipped! / sizeOf(request);
    requests += requestsOfConnectionFound(random);
    assert(answerBytes(request) <= answerBytes({ ...request, skipped: 0 }));
  }
  // By bytes: 35 x 1, 50 x 10, 14 x 100, 1 x 1000 of 2935.
  [35, 500, 1400, 1000].forEach((bytes, index) => near(classes[index], bytes / 2935));
  assert(Math.abs(left / DRAWS - 0.5) < 0.005, `${left / DRAWS}`);
  // Of n requests (n + 1) / 2 are left on average: (0.3 x 1 + 0.7 x 60) / 7.3.
  assert(Math.abs(requests / DRAWS - 42.3 / 7.3) < 0.05, `${requests / DRAWS}`);
});

/** Within four standard deviations. */
function near(count: number, share: number): void {
  const deviation = Math.sqrt(DRAWS * share * (1 - share));
  assert(Math.abs(count - DRAWS * share) < 4 * deviation, `${count} of ${DRAWS}: ${share}`);
}
