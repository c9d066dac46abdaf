/** Runs scenarios for tests, as the dashboard does: in a thread of their own. */

import { assertEquals } from "@std/assert";
import { growRecord, newRecord, type RunRecord, type Settings, startRun } from "../../mod.ts";

/** Runs a scenario to its end. */
export async function recordOf(name: string, settings: Settings, seed = 1): Promise<RunRecord> {
  let record: ReturnType<typeof newRecord> | undefined;
  const run = await startRun(name, settings, {
    seed,
    onEvent(news) {
      if (news.kind === "started") record = newRecord(news.head);
      else if (news.kind !== "sample" && news.kind !== "console" && news.kind !== "output") {
        growRecord(record!, news);
      }
    },
  });
  const { error } = await run.ended;
  assertEquals(error, null);
  return record!;
}
