/** What is used of saxen, which has no types of its own. */
declare module "saxen" {
  export class Parser {
    /** `attributes` are as they are written, references and all. An empty element is opened and closed. */
    on(event: "openTag", listener: (name: string, attributes: () => Record<string, string>) => void): this;
    on(event: "closeTag", listener: (name: string) => void): this;
    /** Text between tags, references and all, but for that outside of all elements. */
    on(event: "text" | "cdata" | "comment", listener: (text: string) => void): this;
    /** `<!…>` and `<?…?>`, whole. */
    on(event: "attention" | "question", listener: (markup: string) => void): this;
    /** What the parser goes on after. */
    on(event: "warn", listener: (warning: Error) => void): this;
    /** Throws what it cannot go on after. */
    parse(text: string): void;
  }
}
