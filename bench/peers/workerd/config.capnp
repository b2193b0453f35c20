using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "functions", worker = .functions)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "functions")],
);

const functions :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-01-01",
);
