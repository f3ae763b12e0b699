// A loader of AMD modules, with what matters of RequireJS: a script that was not asked for and defines a module without
// a name is an error, and no global variable comes of it.
(function () {
  "use strict";
  var modules = {};
  var unclaimed = null;

  function define(name, dependencies, factory) {
    if (typeof name !== "string") {
      if (unclaimed) { throw new Error("Mismatched anonymous define() module"); }
      unclaimed = { dependencies: name, factory: dependencies };
      if (typeof name === "function") { unclaimed = { dependencies: [], factory: name }; }
      // A script's load event, which claims what the script defined, comes before any timer.
      window.setTimeout(function () {
        if (unclaimed) {
          unclaimed = null;
          throw new Error("Mismatched anonymous define() module");
        }
      }, 0);
      return;
    }
    modules[name] = make({ dependencies: dependencies, factory: factory });
  }
  define.amd = {};

  function make(definition) {
    var module = { exports: {} };
    var special = { exports: module.exports, module: module, require: require };
    var given = definition.dependencies.map(function (name) { return special[name] || modules[name]; });
    var returned = typeof definition.factory === "function" ? definition.factory.apply(null, given) : definition.factory;
    return returned === undefined ? module.exports : returned;
  }

  function load(url) {
    return new Promise(function (resolve, reject) {
      if (modules[url]) { resolve(modules[url]); return; }
      var script = document.createElement("script");
      script.src = url;
      script.onload = function () {
        if (unclaimed) { modules[url] = make(unclaimed); }
        unclaimed = null;
        resolve(modules[url]);
      };
      script.onerror = function () { reject(new Error("Script error for " + url)); };
      document.head.appendChild(script);
    });
  }

  function require(urls, success, failure) {
    Promise.all(urls.map(load)).then(function (found) { success.apply(null, found); }, failure);
  }

  window.define = define;
  window.require = window.requirejs = require;
}());
