using KpiControl.Control.Hosting;

namespace KpiControl.Control.Security;

/// <summary>Whether a caller may call a method at all: asked before anything of the request is looked at, by gRPC and REST alike.</summary>
internal static class Admission
{
    /// <param name="method"><c>/package.Service/Method</c>.</param>
    public static void Demand(HttpContext context, string method)
    {
        var user = context.User;
        var requirement = Verbs.For(method) ?? throw Reject.Denied("anything of this method");
        if (requirement is Requirement.Anybody)
            return;
        if (user.Identity?.IsAuthenticated != true)
            throw Unknown(context);
        switch (requirement)
        {
            case Requirement.Agent when AgentIdentity.From(user) is null:
                throw Reject.Denied("the agents' stream");
            case Requirement.Agent when AgentIdentity.From(user) is { Certificate.IsExpired: true }:
                throw Reject.Unauthenticated("The certificate has expired: nothing but Renew is open to it.");
            case Requirement.Certificate when AgentIdentity.From(user)?.Certificate is null:
                throw Reject.Denied("the renewal of a certificate: it is for agents that call with one");
            case Requirement.ByVerb(var verb) when !Caller.From(user).MayAnywhere(verb):
                throw Reject.Denied(verb.ToString());
        }
    }

    private static Exception Unknown(HttpContext context) => context switch
    {
        _ when context.Features.Get<IssuerAway>() is not null => Reject.Unavailable("The issuer's keys cannot be read at this moment, so no token can be verified; try again."),
        { Request.Headers.Authorization.Count: > 0 } =>
            Reject.Unauthenticated("The bearer token was not accepted: it may have expired, or come from another issuer or for another audience."),
        _ => Reject.Unauthenticated("No token: send 'Authorization: Bearer …'."),
    };
}
