/** The documentation site: `npm run docs` writes it to `docs/.vitepress/dist`. */
import { statSync } from "node:fs";
import { join, posix, relative } from "node:path";
import { defineConfig } from "vitepress";
import { basePath, settings } from "../../scripts/release/settings.mjs";
import { anchorOf, linkOf, pageOf, ROOT, sidebar } from "./pages.mjs";

const { repository, site } = settings();

/**
 * Leads the links between files of the repository to pages. A link to any other file leads into the repository, or stays
 * as text alone while release.json has no address of it.
 */
function links(/** @type {import("markdown-it").default} */ md) {
  md.core.ruler.push("repository-links", ({ tokens, env }) => {
    const file = relative(ROOT, env.realPath ?? env.path);
    for (const { children } of tokens) if (children) rewrite(children, file);
  });
}

function rewrite(/** @type {any[]} */ tokens, /** @type {string} */ file) {
  let without = false;
  for (const token of tokens) {
    if (token.type === "link_open") {
      const href = token.attrGet("href");
      if (/^(?:[a-z]+:|#|\/)/.test(href)) continue;
      const target = linkOf(file, href) ?? inRepository(file, href);
      without = target === undefined;
      if (target !== undefined) token.attrSet("href", target);
    }
    if (!without || !token.type.startsWith("link_")) continue;
    if (token.type === "link_close") without = false;
    token.tag = "span";
    token.attrs = null;
    token.type = "text_without_link";
  }
}

function inRepository(/** @type {string} */ file, /** @type {string} */ href) {
  if (repository === "") return undefined;
  const [path = "", hash] = posix.join(posix.dirname(file), href).split("#");
  const kind = statSync(join(ROOT, path), { throwIfNoEntry: false })?.isDirectory() ? "tree" : "blob";
  return `${repository}/${kind}/main/${path}${hash ? `#${hash}` : ""}`;
}

/** A parcel; inline, so that there is no file to serve. */
const FAVICON = `data:image/svg+xml,${encodeURIComponent(
  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><path fill='#3451b2' d='M16 2 29 9v14l-13 7L3 23V9z'/><path fill='none' stroke='#fff' stroke-width='2' d='m4 9 12 7 12-7M16 16v13'/></svg>",
)}`;

export default defineConfig({
  title: "stowage",
  description: "A streaming object-storage client for Node.js: S3, GCS, Azure Blob, files and memory by URL",
  lang: "en",
  base: basePath(site),
  ...(site && { sitemap: { hostname: `${site}/` } }),
  head: [["link", { rel: "icon", href: FAVICON }]],
  // The repository's own pages, such as SECURITY.md, are pages of the site as well.
  srcDir: "..",
  srcExclude: ["{bench,examples,etc,scripts,src,test,coverage}/**", "docs/.vitepress/**"],
  rewrites: pageOf,
  outDir: "./.vitepress/dist",
  cacheDir: "./.vitepress/cache",
  cleanUrls: false,
  ignoreDeadLinks: "localhostLinks",
  metaChunk: true,
  markdown: {
    anchor: { slugify: anchorOf },
    config: (md) => {
      md.use(links);
    },
  },
  themeConfig: {
    nav: [
      { text: "Start", link: "/overview" },
      { text: "Calls by job", link: "/which-call" },
      { text: "Reference", link: "/api/", activeMatch: "^/api/" },
      { text: "Changelog", link: "/changelog" },
    ],
    sidebar: sidebar(),
    outline: [2, 3],
    search: { provider: "local" },
    externalLinkIcon: true,
    ...(repository && { socialLinks: [{ icon: "github", link: repository }] }),
  },
  vite: {
    // The search index alone is larger than the default.
    build: { chunkSizeWarningLimit: 4096 },
  },
});
