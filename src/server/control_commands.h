#pragma once

#include "auth/auth_service.h"
#include "deployment/app_registry.h"
#include "deployment/deployer.h"
#include "runtime/io_threads.h"
#include "server/backup/control_socket.h"

namespace restitch::server {

// What the command line asks of a running server through its control socket: `importUsers` (one
// user a line follows) and `rotateSigningKey`. Called on the socket's thread; all must outlive it.
class ControlCommands {
 public:
  ControlCommands(runtime::IoThreads& threads, deployment::AppRegistry& apps,
                  deployment::Deployer& deployer, auth::AuthService& auth)
      : threads_(threads), apps_(apps), deployer_(deployer), auth_(auth) {}

  void run(const bson::Document& command, backup::ControlClient& client);

 private:
  Status import_users(const std::string& client_app_id, backup::ControlClient& client);
  Status import_line(const deployment::DeployedAppPtr& app, const std::string& line);
  Status rotate_signing_key(const bson::Document& command, const std::string& client_app_id);

  runtime::IoThreads& threads_;
  deployment::AppRegistry& apps_;
  deployment::Deployer& deployer_;
  auth::AuthService& auth_;
};

}  // namespace restitch::server
