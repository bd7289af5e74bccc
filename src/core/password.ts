/**
 * The password in a file as editors leave it: without the byte order mark that some put before it, and without the line
 * end behind it.
 */
export function passwordIn(text: string): string {
  return text.replace(/^\uFEFF/, "").replace(/\r?\n$/, "");
}
