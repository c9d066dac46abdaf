/**
 * Whose turn it is to draw: one at a time, with frames between, so that a page with many plots scrolls and types as
 * smoothly as one with a single plot.
 */

/** After a turn the others wait this many times as long as it took: drawing leaves most of the time to the page. */
const REST_SHARE = 3;

/** By owner, in the order of their turns; what an owner wanted to draw before is out of date. */
const waiting = new Map<object, () => void>();
let isAsked = false;

/** Has `owner` draw when it is its turn; if it waits already, `draw` takes the place of what it wanted to draw. */
export function drawInTurn(owner: object, draw: () => void): void {
  waiting.set(owner, draw);
  askForFrame();
}

/** Takes an owner out of the line. */
export function leaveTurns(owner: object): void {
  waiting.delete(owner);
}

function askForFrame(): void {
  if (isAsked || waiting.size === 0) return;
  isAsked = true;
  requestAnimationFrame(takeTurn);
}

function takeTurn(): void {
  const [first] = waiting;
  const begun = performance.now();
  if (first) {
    const [owner, draw] = first;
    waiting.delete(owner);
    draw();
  }
  setTimeout(() => {
    isAsked = false;
    askForFrame();
  }, REST_SHARE * (performance.now() - begun));
}
