// Shows /openapi.json. Text from it is only ever put into text nodes.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  for (const child of children.flat()) if (child !== null && child !== undefined) made.append(child);
  return made;
}

// `words` between back quotes are code; the rest is text.
function prose(text) {
  return (text || "").split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));
}

function paragraphs(text) {
  return (text || "").split(/\n\s*\n/).filter(Boolean).map((part) => element("p", {}, prose(part)));
}

function nameOf(reference) {
  return reference.split("/").pop();
}

function link(reference) {
  return element("a", { href: "#schema-" + nameOf(reference) }, nameOf(reference));
}

function joined(parts, separator) {
  return parts.flatMap((part, at) => (at ? [separator, part] : [part])).flat();
}

// What a schema stands for, in a line.
function type(schema) {
  if (!schema) return [];
  if (schema.$ref) return [link(schema.$ref)];
  for (const [key, separator] of [["oneOf", " or "], ["anyOf", " or "], ["allOf", " and "]]) {
    if (schema[key]) {
      const parts = schema[key].filter((part) => part.$ref || part.type === "null" || key !== "allOf");
      return joined(parts.map(type), separator);
    }
  }
  if (schema.enum) return joined(schema.enum.map((value) => element("code", {}, String(value))), " or ");
  const names = [schema.type].flat().filter(Boolean);
  if (names.includes("array")) {
    const most = schema.maxItems === undefined ? "list of " : "list of at most " + schema.maxItems + " ";
    return [most, ...type(schema.items)];
  }
  const limits = [];
  if (schema.minimum !== undefined && schema.minimum !== 0) limits.push("from " + schema.minimum);
  if (schema.maximum !== undefined && schema.maximum <= 4294967294) limits.push("to " + schema.maximum);
  if (schema.maxLength !== undefined) limits.push("at most " + schema.maxLength + " characters");
  const told = names.join(" or ") + (limits.length ? " " + limits.join(" ") : "");
  return schema.pattern ? [told + " matching ", element("code", {}, schema.pattern)] : [told];
}

function table(headings, rows) {
  if (!rows.length) return null;
  const head = element("thead", {}, element("tr", {}, headings.map((text) => element("th", { scope: "col" }, text))));
  return element("table", {}, head, element("tbody", {}, rows.map((row) => element("tr", {}, row.map((cell) => element("td", {}, cell))))));
}

// The members of an object, those of flattened parts included.
function members(schema) {
  const own = Object.entries(schema.properties || {}).map(([name, of]) => {
    const optional = (schema.required || []).includes(name) ? null : element("span", { class: "tag" }, "optional");
    const meaning = [of, ...(of.oneOf || [])].map((part) => part.description).find(Boolean);
    return [[element("code", {}, name), optional], type(of), prose(meaning)];
  });
  return (schema.allOf || []).filter((part) => !part.$ref).flatMap(members).concat(own);
}

function schemaCard(name, schema) {
  const flattened = (schema.allOf || []).filter((part) => part.$ref).map((part) => link(part.$ref));
  const rows = members(schema);
  return element("section", { class: "card", id: "schema-" + name },
    element("h3", {}, name),
    paragraphs(schema.description),
    flattened.length ? element("p", {}, "The members of ", joined(flattened, " and "), rows.length ? ", and:" : ".") : null,
    rows.length ? table(["member", "type", "meaning"], rows) : null,
    rows.length || flattened.length ? null : element("p", { class: "soft" }, type(schema)));
}

function operationId(method, path) {
  return "request-" + method + path.replace(/[^a-z]+/g, "-");
}

function operationCard(method, path, operation, shared) {
  const parameters = (operation.parameters || []).map((parameter) => [
    [element("code", {}, parameter.name), element("span", { class: "tag" }, parameter.in + (parameter.required ? "" : ", optional"))],
    type(parameter.schema),
    prose(parameter.description),
  ]);
  const body = operation.requestBody && Object.entries(operation.requestBody.content)[0];
  const answers = Object.entries(operation.responses).map(([status, own]) => {
    const answer = own.$ref ? shared[nameOf(own.$ref)] : own;
    const content = Object.entries(answer.content || {})[0];
    const shown = content && content[1].schema ? type(content[1].schema) : [];
    return [
      element("span", { class: Number(status) < 400 ? "status" : "status refused" }, status),
      shown,
      prose(answer.description),
    ];
  });
  const token = (operation.security || []).length ? element("span", { class: "tag" }, "access token") : null;
  return element("section", { class: "card", id: operationId(method, path) },
    element("h3", {}, element("span", { class: "method " + method }, method.toUpperCase()), " ", path, token),
    operation.summary ? element("p", {}, prose(operation.summary)) : null,
    paragraphs(operation.description),
    parameters.length ? [element("h4", {}, "Parameters"), table(["name", "type", "meaning"], parameters)] : null,
    body ? [element("h4", {}, "Body"), element("p", {}, element("code", {}, body[0]), " ", type(body[1].schema))] : null,
    element("h4", {}, "Answers"),
    table(["status", "body", "meaning"], answers));
}

function show(description) {
  const contents = document.getElementById("contents");
  const main = document.getElementById("description");
  main.replaceChildren(
    element("h1", {}, description.info.title),
    element("p", { class: "soft" }, "version " + description.info.version + ", OpenAPI " + description.openapi + ", ",
      element("a", { href: "/openapi.json" }, "openapi.json")),
    ...paragraphs(description.info.description));
  for (const tag of description.tags) {
    const items = [];
    main.append(element("h2", { id: "tag-" + tag.name }, tag.name), ...paragraphs(tag.description));
    for (const [path, item] of Object.entries(description.paths)) {
      for (const method of METHODS) {
        const operation = item[method];
        if (!operation || !operation.tags.includes(tag.name)) continue;
        items.push(element("li", {}, element("a", { href: "#" + operationId(method, path) },
          element("span", { class: "method " + method }, method.toUpperCase()), path)));
        main.append(operationCard(method, path, operation, description.components.responses));
      }
    }
    contents.append(element("h2", {}, tag.name), element("ul", {}, items));
  }
  const schemas = Object.entries(description.components.schemas);
  main.append(element("h2", { id: "structures" }, "Structures"), ...schemas.map(([name, schema]) => schemaCard(name, schema)));
  contents.append(element("h2", {}, "Structures"), element("ul", {}, schemas.map(([name]) =>
    element("li", {}, element("a", { href: "#schema-" + name }, name)))));
  // The target of the address exists only now.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView({ behavior: "instant" });
}

fetch("/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error("status " + answer.status))))
  .then(show)
  .catch((error) => {
    document.getElementById("description").replaceChildren(element("p", {}, "The description cannot be shown: " + error.message));
  });
