using Grpc.Core;
using Grpc.Core.Interceptors;
using KpiControl.Cli.Login;
using KpiControl.Cli.Output;

namespace KpiControl.Cli.Connection;

/// <summary>Puts the token on every call; without one, no call is made.</summary>
internal sealed class AuthenticatedCalls(Target target, Surroundings world) : Interceptor
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
                "kpictl login, or set KPICTL_TOKEN, give the context a token (env:NAME or file:PATH), or eval \"$(./dev env)\"", ExitCode.NotAuthenticated);
        if (target.Login is { CanRenew: false } over && LoginRenewal.IsOver(over, world))
            throw new Refusal($"the login for {target.Server.Authority} ran out {Ages.Past(over.ExpiresAt, world.Clock.GetUtcNow())}", "kpictl login", ExitCode.NotAuthenticated);
        // Of a login, LoginRenewal puts a fresh one in its place where it must.
        var headers = context.Options.Headers ?? [];
        headers.Add("authorization", $"Bearer {target.Token}");
        return new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, context.Options.WithHeaders(headers));
    }
}
