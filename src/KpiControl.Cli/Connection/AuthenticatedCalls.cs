using Grpc.Core;
using Grpc.Core.Interceptors;

namespace KpiControl.Cli.Connection;

/// <summary>Puts the token on every call; without one, no call is made.</summary>
internal sealed class AuthenticatedCalls(Target target) : Interceptor
{
    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, Authorised(context));

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation) =>
        continuation(request, Authorised(context));

    private ClientInterceptorContext<TRequest, TResponse> Authorised<TRequest, TResponse>(ClientInterceptorContext<TRequest, TResponse> context)
        where TRequest : class
        where TResponse : class
    {
        if (target.Token is null)
            throw new Refusal($"no token for {target.Server.Authority}",
                "set KPICTL_TOKEN, give the context a token (env:NAME or file:PATH), or eval \"$(./dev env)\"", ExitCode.NotAuthenticated);
        var headers = context.Options.Headers ?? [];
        headers.Add("authorization", $"Bearer {target.Token}");
        return new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, context.Options.WithHeaders(headers));
    }
}
