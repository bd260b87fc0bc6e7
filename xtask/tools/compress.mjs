// Writes FILE.br and FILE.gz beside each file named on the command line and prints one line per
// file: raw, gzip and brotli size in bytes, then the path. Node's zlib is native code that every
// machine with our tools has; a Rust brotli would be compiled, unoptimised, before anything else.
//
// Usage: node compress.mjs best|fast FILE...
import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const [effort, ...files] = process.argv.slice(2);
const [quality, level] = effort === "best" ? [11, 9] : [4, 1];

for (const file of files) {
  const raw = readFileSync(file);
  const brotli = brotliCompressSync(raw, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: quality,
      [constants.BROTLI_PARAM_LGWIN]: 22,
      [constants.BROTLI_PARAM_SIZE_HINT]: raw.length,
    },
  });
  const gzip = gzipSync(raw, { level });
  writeFileSync(`${file}.br`, brotli);
  writeFileSync(`${file}.gz`, gzip);
  console.log(`${raw.length} ${gzip.length} ${brotli.length} ${file}`);
}
