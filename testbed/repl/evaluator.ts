/**
 * Evaluates lines in V8's own REPL mode, reached through the inspector: `await` at top level, `const`
 * that may be declared again, and values that are the live objects.
 */

import { type Runtime, Session } from "node:inspector/promises";
import { toJavaScript } from "./typescript.ts";

/** What became of a line: a value, or what it threw. */
export type Outcome =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "thrown"; readonly error: unknown };

/** The global through which a value passes from the inspector to the program. */
const TAKE = Symbol.for("xenarium.repl.take");
const TAKE_FUNCTION = `function (value) { globalThis[Symbol.for("xenarium.repl.take")](value); }`;

/** One session of evaluations that see each other's declarations. */
export class Evaluator {
  #session = new Session();
  #globalId = "";
  readonly #base: URL;

  private constructor(base: URL) {
    this.#base = base;
  }

  /** Opens a session; relative imports are relative to `base`. */
  static async open(base: URL): Promise<Evaluator> {
    const evaluator = new Evaluator(base);
    await evaluator.#connect();
    return evaluator;
  }

  /**
   * Forgets evaluations that have not settled; what they declared stays. They must be forgotten: Deno 2.9
   * ends with a panic when the promise of an evaluation that it waits for is garbage.
   */
  async abandon(): Promise<void> {
    this.#session.disconnect();
    this.#session = new Session();
    await this.#connect();
  }

  /** Evaluates TypeScript; the outcome is the value of its last expression. */
  async evaluate(source: string): Promise<Outcome> {
    const asObject = /^\s*\{[^]*[^;\s]\s*$/.test(source);
    if (asObject) {
      const outcome = await this.#evaluate(`(${source})`);
      if (outcome.kind === "value" || !(outcome.error instanceof SyntaxError)) return outcome;
    }
    return await this.#evaluate(source);
  }

  /** The names that lines have declared with `const`, `let` and `class`. */
  async declaredNames(): Promise<string[]> {
    const { names } = await this.#session.post("Runtime.globalLexicalScopeNames", {});
    return [...new Set(names)];
  }

  close(): void {
    this.#session.disconnect();
  }

  async #connect(): Promise<void> {
    this.#session.connect();
    const { result } = await this.#session.post("Runtime.evaluate", { expression: "globalThis" });
    this.#globalId = result.objectId!;
  }

  async #evaluate(source: string): Promise<Outcome> {
    let expression: string;
    try {
      expression = toJavaScript(source, this.#base);
    } catch (error) {
      return { kind: "thrown", error: await this.#betterError(source) ?? error };
    }
    // `replMode` is part of the protocol, though the types of node:inspector lack it.
    const parameters = { expression, replMode: true };
    const answer: unknown = await this.#session.post("Runtime.evaluate", parameters);
    const { result, exceptionDetails } = answer as Runtime.EvaluateReturnType;
    if (exceptionDetails) {
      const { live } = await this.#take(exceptionDetails.exception ?? result);
      return { kind: "thrown", error: live };
    }
    return { kind: "value", value: (await this.#take(result)).live };
  }

  /** V8 says better than the stripper what is wrong with plain JavaScript. */
  async #betterError(source: string): Promise<SyntaxError | undefined> {
    // Evaluating a function compiles its body without running it.
    const { exceptionDetails } = await this.#session.post("Runtime.evaluate", {
      expression: `(async () => {${source}\n})`,
    });
    const text = exceptionDetails?.exception?.description?.split("\n")[0];
    return text === undefined ? undefined : new SyntaxError(text.replace(/^SyntaxError: /, ""));
  }

  /** Fetches the live value behind a remote object; boxed, as it may be a promise. */
  async #take(remote: Runtime.RemoteObject): Promise<{ live: unknown }> {
    let taken: unknown;
    const world = globalThis as unknown as Record<symbol, unknown>;
    world[TAKE] = (value: unknown) => taken = value;
    const { objectId, unserializableValue, value } = remote;
    await this.#session.post("Runtime.callFunctionOn", {
      objectId: this.#globalId,
      functionDeclaration: TAKE_FUNCTION,
      arguments: [
        objectId ? { objectId } : unserializableValue ? { unserializableValue } : { value },
      ],
    });
    delete world[TAKE];
    if (objectId) await this.#session.post("Runtime.releaseObject", { objectId });
    return { live: taken };
  }
}
