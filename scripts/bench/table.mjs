// Columns of text, lined up: words to the left, numbers to the right.

/** Text of a table; every row has as many cells as the heading. */
export function table(heading, rows) {
  const all = [heading, ...rows].map((row) => row.map(String));
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const numeric = heading.map((_, column) => rows.every((row) => /^[\d.,–-]/.test(String(row[column]))));
  const line = (row) =>
    row.map((cell, column) => (numeric[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])));
  const [head, ...body] = all.map((row) => line(row).join("  ").trimEnd());
  return [head, widths.map((width) => "─".repeat(width)).join("  "), ...body].join("\n");
}

export const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
export const mebibytes = (value) => `${Math.round(value)} MiB`;
