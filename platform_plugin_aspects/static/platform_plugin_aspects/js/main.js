import { AspectsDashboards } from "./element.js";

// A page with several blocks may load this script several times.
if (!customElements.get("aspects-dashboards")) {
  customElements.define("aspects-dashboards", AspectsDashboards);
}
