/** The proleptic Gregorian calendar as whole numbers; what a clock chip needs of it and no more. */

/** A date and a time of day; `month` 1 to 12, `day` from 1. */
export interface DateTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Days in four centuries. */
const eraDays = 146_097;
export const secondsPerDay = 86_400;

/** Days from 1970-01-01 to the given date; a `day` outside the month counts on into its neighbours. */
export function daysFromDate(year: number, month: number, day: number): number {
  // Years are counted from March, so that the leap day comes last.
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) +
    dayOfYear;
  return era * eraDays + dayOfEra - 719_468;
}

/** The date that lies `days` after 1970-01-01. */
export function dateFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / eraDays);
  const dayOfEra = shifted - era * eraDays;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) -
      Math.floor(dayOfEra / 146096)) / 365,
  );
  const dayOfYear = dayOfEra -
    (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}

/** The day of the week, 1 (Sunday) to 7, as clock chips count it. */
export function weekday(days: number): number {
  return ((((days + 4) % 7) + 7) % 7) + 1;
}

/** Parses `2003-10-19T00:00:00Z`; throws `SyntaxError` on any other form, `RangeError` on no such day. */
export function parseDateTime(text: string): DateTime {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/.exec(text);
  if (!match) {
    throw new SyntaxError(`expected a date such as 2003-10-19T00:00:00Z, found "${text}"`);
  }
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
  const found = dateFromDays(daysFromDate(year, month, day));
  const exists = month >= 1 && month <= 12 && found.month === month && found.day === day;
  if (!exists || hour > 23 || minute > 59 || second > 59) {
    throw new RangeError(`there is no such date as ${text}`);
  }
  return { year, month, day, hour, minute, second };
}
