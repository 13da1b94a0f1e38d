/** The part of saxen that is used; it has no types of its own. */
declare module "saxen" {
  export class Parser {
    /** `attributes` are raw, with references. An empty element is opened and closed. */
    on(event: "openTag", listener: (name: string, attributes: () => Record<string, string>) => void): this;
    on(event: "closeTag", listener: (name: string) => void): this;
    /** Raw text between tags, with references, except outside of all elements. */
    on(event: "text" | "cdata" | "comment", listener: (text: string) => void): this;
    /** `<!…>` and `<?…?>`, whole. */
    on(event: "attention" | "question", listener: (markup: string) => void): this;
    /** Errors that the parser recovers from. */
    on(event: "warn", listener: (warning: Error) => void): this;
    /** Throws errors that the parser cannot recover from. */
    parse(text: string): void;
  }
}
