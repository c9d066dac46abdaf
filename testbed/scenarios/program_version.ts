/** The version of this program, for records: the one that deno.json gives the package. */

import configuration from "../../deno.json" with { type: "json" };

/** For example `0.1.0`. */
export const PROGRAM_VERSION: string = configuration.version;
