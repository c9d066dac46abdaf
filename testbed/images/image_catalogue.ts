/** The image store as those who use it see it: the command line, mostly. */

/** One image of the store. */
export interface ImageRow {
  readonly name: string;
  readonly summary: string;
  readonly sizeBytes: number;
  /** More about it, as name and value. */
  readonly details: readonly (readonly [name: string, value: string])[];
}

/** A step of something long: how much of it is done. */
export type OnProgress = (step: string, done: number, total: number) => void;

/** See the module comment. */
export interface ImageCatalogue {
  /** Names that `add` knows how to get. */
  readonly known: readonly string[];
  add(name: string, onProgress: OnProgress): Promise<ImageRow>;
  list(): Promise<ImageRow[]>;
  /** Throws `RangeError` if there is none of that name. */
  show(name: string): Promise<ImageRow>;
  remove(name: string): Promise<void>;
}
