/** The one error of fetching, unpacking and finding images. */

/** What went wrong with an image; the message names it and says what would be right. */
export class ImageError extends Error {
  override name = "ImageError";
}
