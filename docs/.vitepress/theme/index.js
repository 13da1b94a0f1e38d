/** VitePress's own theme, with a few lines of style. */
import theme from "vitepress/theme";
import "./style.css";

export default theme;
