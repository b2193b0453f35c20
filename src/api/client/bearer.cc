#include "api/client/handlers.h"

namespace restitch::api::client {

Task<auth::AuthenticatedUser> bearer_of(ClientApi& api, const RequestContext& context) {
  return bearer_of(api, context, std::string(bearer_token(context.http)));
}

Task<auth::AuthenticatedUser> bearer_of(ClientApi& api, const RequestContext& context,
                                        std::string token) {
  if (token.empty()) co_return Error(ErrorCode::kUnauthenticated, "unauthorized");
  auto bearer = co_await api.auth().authenticate(context.app->auth, token);
  if (!bearer && bearer.error().code() == ErrorCode::kInvalidToken) {
    co_return Error(ErrorCode::kInvalidSession, bearer.error().message());
  }
  co_return bearer;
}

}  // namespace restitch::api::client
