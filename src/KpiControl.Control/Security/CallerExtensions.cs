using Grpc.Core;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Security;

internal static class CallerExtensions
{
    public static Caller Caller(this ServerCallContext context) => Security.Caller.From(context.GetHttpContext().User);

    public static AgentIdentity Agent(this ServerCallContext context) =>
        AgentIdentity.From(context.GetHttpContext().User) ?? throw Reject.Denied("the agents' stream");

    /// <summary>
    /// For an object the caller was shown to exist: whoever may not even read it is told that it does not.
    /// </summary>
    public static void Demand(this Caller caller, Verb verb, string tenant, string environment, string what)
    {
        if (environment == "*" ? caller.MayIn(verb, tenant) : caller.May(verb, tenant, environment))
            return;
        if (!caller.MayIn(Verb.List, tenant))
            throw Reject.NotFound(what);
        throw Reject.Denied(verb.ToString());
    }
}
