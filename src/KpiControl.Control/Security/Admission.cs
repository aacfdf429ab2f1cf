using System.Security.Claims;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Security;

/// <summary>Whether a caller may call a method at all: asked before anything of the request is looked at, by gRPC and REST alike.</summary>
internal static class Admission
{
    /// <param name="method"><c>/package.Service/Method</c>.</param>
    /// <param name="hasToken">Whether one was sent: tells a missing one from one that was not accepted.</param>
    public static void Demand(ClaimsPrincipal user, string method, bool hasToken)
    {
        var requirement = Verbs.For(method) ?? throw Reject.Denied("anything of this method");
        if (requirement is Requirement.Anybody)
            return;
        if (user.Identity?.IsAuthenticated != true)
            throw Reject.Unauthenticated(hasToken
                ? "The bearer token was not accepted: it may have expired, or come from another issuer or for another audience."
                : "No token: send 'Authorization: Bearer …'.");
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
}
