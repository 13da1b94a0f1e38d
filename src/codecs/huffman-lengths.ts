/**
 * Returns Huffman code lengths for symbols with these counts, at most `longest`. A symbol with count 0 is treated as 1.
 */
export function codeLengths(counts: Int32Array, longest: number): Uint8Array {
  // A scale of 1 is exact; a higher one flattens the counts until no code is too long.
  for (let scale = 1; ; scale *= 2) {
    const lengths = tryLengths(counts, scale);
    if (lengths.every((length) => length <= longest)) return lengths;
  }
}

/** Merges the two smallest subtrees until one is left: sorted leaves and merged nodes are two queues. */
function tryLengths(counts: Int32Array, scale: number): Uint8Array {
  const size = counts.length;
  const weights = new Float64Array(2 * size);
  for (let symbol = 0; symbol < size; symbol++) weights[symbol] = Math.ceil(Math.max(1, counts[symbol]!) / scale);
  const leaves = Array.from({ length: size }, (_, symbol) => symbol).sort((a, b) => weights[a]! - weights[b]! || a - b);
  const parents = new Uint16Array(2 * size);
  let leaf = 0;
  let node = size;
  let end = size;
  const least = () => {
    const takesLeaf = leaf < size && (node >= end || weights[leaves[leaf]!]! <= weights[node]!);
    return takesLeaf ? leaves[leaf++]! : node++;
  };
  for (; end < 2 * size - 1; end++) {
    const a = least();
    const b = least();
    weights[end] = weights[a]! + weights[b]!;
    parents[a] = end;
    parents[b] = end;
  }
  return depths(parents, size, end - 1);
}

function depths(parents: Uint16Array, size: number, root: number): Uint8Array {
  const depth = new Uint8Array(root + 1);
  for (let node = root - 1; node >= 0; node--) depth[node] = depth[parents[node]!]! + 1;
  return depth.slice(0, size);
}
