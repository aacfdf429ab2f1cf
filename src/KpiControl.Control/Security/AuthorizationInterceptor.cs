using Grpc.Core;
using Grpc.Core.Interceptors;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Security;

/// <summary>Every method asks here first, unary and streaming alike, before anything of the request is looked at.</summary>
internal sealed class AuthorizationInterceptor : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Authorize(context);
        return continuation(request, context);
    }

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Authorize(context);
        return continuation(requestStream, context);
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Authorize(context);
        return continuation(request, responseStream, context);
    }

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Authorize(context);
        return continuation(requestStream, responseStream, context);
    }

    private static void Authorize(ServerCallContext context)
    {
        var requirement = Verbs.For(context.Method) ?? throw Reject.Denied("anything of this method");
        if (requirement is Requirement.Anybody)
            return;
        var user = context.GetHttpContext().User;
        if (user.Identity?.IsAuthenticated != true)
            throw Reject.Unauthenticated(Why(context));
        switch (requirement)
        {
            case Requirement.Agent when AgentIdentity.From(user) is null:
                throw Reject.Denied("the agents' stream");
            case Requirement.ByVerb(var verb) when !Caller.From(user).MayAnywhere(verb):
                throw Reject.Denied(verb.ToString());
        }
    }

    private static string Why(ServerCallContext context) => context.RequestHeaders.GetValue("authorization") is null
        ? "No token: send 'authorization: Bearer …'."
        : "The bearer token was not accepted: it may have expired, or come from another issuer or for another audience.";
}
