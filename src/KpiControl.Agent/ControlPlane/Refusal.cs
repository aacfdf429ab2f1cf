using System.Security.Authentication;
using Grpc.Core;
using KpiControl.Agent.Hosting;

namespace KpiControl.Agent.ControlPlane;

/// <summary>Why there is no stream: one line that says what is wrong and what mends it.</summary>
/// <param name="Message">Without the pause that follows.</param>
/// <param name="Configuration">No waiting mends it: an agent that never had a session ends with exit code 1.</param>
internal sealed record Refusal(string Message, bool Configuration = false)
{
    public static Refusal Of(RpcException e, string address, AgentOptions agent, ControlPlaneOptions control)
    {
        var detail = Detail(e);
        if (Innermost(e) is AuthenticationException)
            return new($"The control plane at {address} shows a certificate that is not trusted ({detail}). Check Agent:ControlPlane:CaFile, and that the certificate is for the name in Agent:ControlPlane:Address.");
        return e.StatusCode switch
        {
            StatusCode.Unavailable => new($"The control plane at {address} cannot be reached ({detail}). If this lasts, check Agent:ControlPlane:Address, the network and that the control plane runs."),
            StatusCode.Unauthenticated when !control.HasToken => new($"The control plane at {address} does not accept the agent's certificate ({detail}). Where the agent was revoked, an operator must enrol it again (kpictl agents enrol {agent.Name}): remove its identity directory then."),
            StatusCode.Unauthenticated => new($"The control plane at {address} does not accept the token in {control.Token} ({detail}). It is missing, expired or from another issuer: renew it there, it is read again at each connect."),
            StatusCode.PermissionDenied => new($"The control plane at {address} refuses agent '{agent.Name}' in region '{agent.Region}' ({detail}). {(control.HasToken ? "The token must be issued" : "The certificate must be enrolled")} to this name, region and tenants: correct Agent:Name, Agent:Region or Agent:Tenants, or have another {(control.HasToken ? "token issued" : "one enrolled")}.", Configuration: true),
            StatusCode.AlreadyExists => new($"Another live instance holds the name '{agent.Name}' ({detail}). Give each agent its own Agent:Name, or wait until the other's session ends."),
            StatusCode.InvalidArgument => new($"The control plane at {address} does not understand this agent ({detail}). They may be more than one minor version apart: update the older one."),
            StatusCode.Unimplemented => new($"What answers at {address} is not a control plane ({detail}). Check Agent:ControlPlane:Address."),
            _ => new($"The stream to the control plane at {address} ended: {e.StatusCode} ({detail})."),
        };
    }

    // gRPC wraps what the socket said twice; the innermost words are the ones that help. One line, whatever is in it.
    private static string Detail(RpcException e) => (Innermost(e)?.Message ?? e.Status.Detail).ReplaceLineEndings(" ").TrimEnd('.');

    private static Exception? Innermost(RpcException e) => e.Status.DebugException?.GetBaseException();
}
