/** The small ports of a PC: POST codes, debug exit, debug consoles, and port 0x92 with A20 and reset. */

export { DebugConsole, debugConsolePort } from "./debug_console.ts";
export { attachDebugExit, debugExitCode } from "./debug_exit.ts";
export { Port92, type Port92Wiring } from "./port92.ts";
export { PostPort } from "./post_port.ts";
