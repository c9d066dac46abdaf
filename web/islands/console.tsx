/** A guest's console in a terminal. What the guest prints goes through the terminal's parser and never becomes markup. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { LiveMessage } from "../live/messages.ts";

/** After this time, in milliseconds, what could not be sent is sent again. */
const AGAIN_MS = 500;

/** What is known of the connection. */
type Connection = "connecting" | "connected" | "cut off";

const THEME = {
  background: "#111417",
  foreground: "#dfe3e6",
  cursor: "#9fd4ff",
  selectionBackground: "#3b5168",
};

/** See the module comment. */
export function Console(
  { channel, console }: { readonly channel: string; readonly console: string },
) {
  const element = useRef<HTMLDivElement>(null);
  const leave = useRef<HTMLButtonElement>(null);
  const opened = useRef<OpenTerminal | null>(null);
  const [connection, setConnection] = useState<Connection>("connecting");
  const [isReadAloud, readAloud] = useState(false);
  useEffect(() => {
    const place = element.current;
    if (!place) return;
    const ended = new AbortController();
    const path = `/live/${encodeURIComponent(channel)}`;
    const query = `console=${encodeURIComponent(console)}`;
    openTerminal(place, () => leave.current?.focus(), `${path}/type?${query}`, ended.signal)
      .then((terminal) => {
        if (ended.signal.aborted) return;
        opened.current = terminal;
        listen(`${path}/stream?${query}`, terminal.write, setConnection, ended.signal);
      });
    return () => ended.abort();
  }, [channel, console]);
  return (
    <section>
      <div class="console" ref={element} />
      <p class="row">
        <button
          type="button"
          ref={leave}
          onClick={() => element.current?.querySelector("textarea")?.focus()}
        >
          Type into the console
        </button>
        <span class="soft" role="status">{connection}</span>
        <label>
          <input
            type="checkbox"
            checked={isReadAloud}
            onChange={({ currentTarget }) => {
              readAloud(currentTarget.checked);
              opened.current?.readAloud(currentTarget.checked);
            }}
          />{" "}
          for a screen reader
        </label>
      </p>
    </section>
  );
}

/** What can be done with a terminal that stands. */
interface OpenTerminal {
  write(text: string): void;
  /** With a screen reader's view of its text; keys that are struck very fast may then get lost on a busy computer. */
  readAloud(wanted: boolean): void;
}

/** Makes a terminal that sends what is typed to `url`. */
async function openTerminal(
  place: HTMLElement,
  leave: () => void,
  url: string,
  signal: AbortSignal,
): Promise<OpenTerminal> {
  const [{ Terminal }, { FitAddon }] = await Promise.all([
    import("@xterm/xterm"),
    import("@xterm/addon-fit"),
  ]);
  const terminal = new Terminal({
    theme: THEME,
    fontSize: 14,
    scrollback: 5000,
    // A guest's links would lead a visitor wherever the guest likes.
    linkHandler: { activate: () => {} },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  fit.fit();
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(place);
  const send = orderedSender(url);
  terminal.onData(send);
  terminal.attachCustomKeyEventHandler((event) => {
    const leaves = event.ctrlKey && event.key === "]";
    if (leaves && event.type === "keydown") leave();
    return !leaves;
  });
  terminal.focus();
  signal.addEventListener("abort", () => {
    observer.disconnect();
    terminal.dispose();
  });
  return {
    write: (text) => terminal.write(text),
    readAloud: (wanted) => void (terminal.options.screenReaderMode = wanted),
  };
}

/** Sends pieces one after the other, those that come meanwhile together: keys arrive in the order of their strokes. */
function orderedSender(url: string): (text: string) => void {
  let waiting = "";
  let isSending = false;
  const send = async () => {
    isSending = true;
    while (waiting !== "") {
      const text = waiting;
      waiting = "";
      // What did not arrive is sent again, before what was typed since.
      await fetch(url, { method: "POST", body: text }).catch(async () => {
        waiting = text + waiting;
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      });
    }
    isSending = false;
  };
  return (text) => {
    waiting += text;
    if (!isSending) void send();
  };
}

/** Writes a console's pieces, each character once, however often the connection is cut. */
function listen(
  url: string,
  write: (text: string) => void,
  stand: (connection: Connection) => void,
  signal: AbortSignal,
): void {
  let written = 0;
  const source = new EventSource(url);
  source.onopen = () => stand("connected");
  source.onerror = () => stand("cut off");
  source.addEventListener("piece", ({ data }) => {
    const message: LiveMessage = JSON.parse(data);
    if (message.kind !== "piece") return;
    const { offset, text } = message.piece;
    if (offset + text.length <= written) return;
    write(text.slice(Math.max(0, written - offset)));
    written = offset + text.length;
  });
  signal.addEventListener("abort", () => source.close());
}
