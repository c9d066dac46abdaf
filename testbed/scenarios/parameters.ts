/**
 * What a scenario can be told: declared as a table, from which the help, the form of the dashboard, the checks and the
 * types of the values follow.
 */

import { InvariantError, unreachable } from "../../core/lib/assert.ts";
import type { Nanoseconds } from "../../core/clock/clock.ts";
import type { ParameterValue } from "../runs/run_record.ts";
import { suggest } from "../suggestion.ts";
import { parseDuration } from "../units.ts";

interface Described {
  /** One line: what it does. */
  readonly help: string;
  /** Another default, where another parameter has a certain value. */
  readonly instead?: {
    readonly where: string;
    readonly is: ParameterValue;
    readonly default: ParameterValue;
  };
}

/** One thing that a scenario can be told. */
export type Parameter =
  & Described
  & (
    | {
      readonly kind: "integer" | "number";
      readonly default: number;
      readonly min: number;
      readonly max: number;
      readonly unit?: string;
    }
    /** Whole numbers, with commas between them. */
    | {
      readonly kind: "integers";
      readonly default: readonly number[];
      readonly min: number;
      readonly max: number;
      readonly unit?: string;
    }
    /** With its unit, such as `5ms`. */
    | {
      readonly kind: "duration";
      readonly default: string;
      readonly min: string;
      readonly max: string;
    }
    | { readonly kind: "choice"; readonly default: string; readonly choices: readonly string[] }
    /** Some of the choices, with commas between them. */
    | {
      readonly kind: "choices";
      readonly default: readonly string[];
      readonly choices: readonly string[];
    }
    | { readonly kind: "flag"; readonly default: boolean }
  );

/** Parameters by name. */
export type ParameterTable = Readonly<Record<string, Parameter>>;

/** What a scenario sees of a parameter. */
export type ValueOf<P extends Parameter> = P extends { kind: "integer" | "number" } ? number
  : P extends { kind: "integers" } ? readonly number[]
  : P extends { kind: "duration" } ? Nanoseconds
  : P extends { kind: "choice"; choices: readonly (infer C)[] } ? C
  : P extends { kind: "choices"; choices: readonly (infer C)[] } ? readonly C[]
  : P extends { kind: "flag" } ? boolean
  : never;

/** What a scenario sees of its parameters. */
export type ValuesOf<T extends ParameterTable> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** Parameters as a record keeps them: plain data, durations as text. */
export type Settings = Readonly<Record<string, ParameterValue>>;

/**
 * Checks what was given, as text or as values, and fills in defaults. Throws `RangeError` for a name that is unknown
 * or a value out of range, `SyntaxError` for one that cannot be read.
 */
export function checkSettings(table: ParameterTable, given: Settings): Settings {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(table, name)) {
      throw new RangeError(`there is no parameter ${name}: ${suggest(name, Object.keys(table))}`);
    }
  }
  return Object.fromEntries(
    Object.entries(table).map(([name, parameter]) => {
      if (!Object.hasOwn(given, name)) return [name, defaultOf(table, parameter, given)];
      try {
        return [name, checkSetting(parameter, given[name])];
      } catch (error) {
        if (error instanceof InvariantError) throw error;
        const ErrorKind = error instanceof RangeError ? RangeError : SyntaxError;
        throw new ErrorKind(`${name}: ${(error as Error).message}`);
      }
    }),
  );
}

function defaultOf(table: ParameterTable, parameter: Parameter, given: Settings): ParameterValue {
  const { instead } = parameter;
  if (!instead) return parameter.default;
  const { where, is } = instead;
  return (given[where] ?? table[where].default) === is ? instead.default : parameter.default;
}

/** What a parameter is if nothing is given, as help shows it. */
export function defaultText({ instead, ...parameter }: Parameter): string {
  const unit = "unit" in parameter && parameter.unit ? ` ${parameter.unit}` : "";
  const usual = `${settingText(parameter.default)}${unit}`;
  if (!instead) return usual;
  const { where, is, default: other } = instead;
  return `${usual}; with ${where} ${settingText(is)}: ${settingText(other)}${unit}`;
}

/** Checks one value. Throws `RangeError` or `SyntaxError` that says what is accepted and what was found. */
export function checkSetting(parameter: Parameter, given: ParameterValue): ParameterValue {
  switch (parameter.kind) {
    case "integer":
    case "number":
      return checkNumber(parameter, parameter.kind === "integer", given);
    case "integers":
      return checkList(given).map((each) => checkNumber(parameter, true, each));
    case "duration":
      return checkDuration(parameter, String(given));
    case "choice":
      return checkChoice(parameter.choices, String(given));
    case "choices":
      return checkList(given).map((each) => checkChoice(parameter.choices, String(each)));
    case "flag":
      return checkFlag(given);
    default:
      return unreachable(parameter, "parameter");
  }
}

/** What scenarios see, of settings that {@link checkSettings} gave. */
export function valuesOf<T extends ParameterTable>(table: T, settings: Settings): ValuesOf<T> {
  return Object.fromEntries(
    Object.entries(table).map(([name, { kind }]) => [
      name,
      kind === "duration" ? parseDuration(String(settings[name])) : settings[name],
    ]),
  ) as ValuesOf<T>;
}

/** What a parameter accepts, in a few words. */
export function accepted(parameter: Parameter): string {
  switch (parameter.kind) {
    case "integer":
      return `a whole number from ${parameter.min} to ${parameter.max}`;
    case "number":
      return `a number from ${parameter.min} to ${parameter.max}`;
    case "integers":
      return `whole numbers from ${parameter.min} to ${parameter.max}, with commas between them`;
    case "duration":
      return `a duration from ${parameter.min} to ${parameter.max}`;
    case "choice":
      return `one of ${parameter.choices.join(", ")}`;
    case "choices":
      return `some of ${parameter.choices.join(", ")}, with commas between them`;
    case "flag":
      return "yes or no";
    default:
      return unreachable(parameter, "parameter");
  }
}

/** A value as it would be typed. */
export function settingText(value: ParameterValue): string {
  return typeof value === "object" ? value.join(",") : String(value);
}

type Ranged = Extract<Parameter, { min: number }>;

function checkNumber(parameter: Ranged, whole: boolean, given: ParameterValue): number {
  const text = String(given).trim();
  const value = text === "" ? NaN : Number(text);
  const { min, max } = parameter;
  if (
    Number.isFinite(value) && (!whole || Number.isInteger(value)) && value >= min && value <= max
  ) {
    return value;
  }
  throw new RangeError(`expected ${accepted(parameter)}, found ${JSON.stringify(given)}`);
}

function checkList(given: ParameterValue): readonly ParameterValue[] {
  const list = typeof given === "object" ? given : String(given).split(",");
  if (list.length === 0 || list[0] === "") throw new SyntaxError("expected at least one value");
  return list.map((each) => typeof each === "string" ? each.trim() : each);
}

function checkDuration(parameter: Extract<Parameter, { kind: "duration" }>, text: string): string {
  const value = parseDuration(text);
  if (value >= parseDuration(parameter.min) && value <= parseDuration(parameter.max)) return text;
  throw new RangeError(`expected ${accepted(parameter)}, found ${JSON.stringify(text)}`);
}

function checkChoice(choices: readonly string[], text: string): string {
  if (choices.includes(text)) return text;
  throw new RangeError(`${JSON.stringify(text)} is not accepted: ${suggest(text, choices)}`);
}

const FLAG_WORDS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  false: false,
  no: false,
  off: false,
};

function checkFlag(given: ParameterValue): boolean {
  const word = String(given).toLowerCase();
  if (Object.hasOwn(FLAG_WORDS, word)) return FLAG_WORDS[word];
  throw new SyntaxError(`expected yes or no, found ${JSON.stringify(given)}`);
}
