using Grpc.Core;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>The agents' door: one stream each.</summary>
internal sealed class AgentGrpcService(StreamOpening opening, AgentStream stream) : AgentService.AgentServiceBase
{
    public override async Task Work(IAsyncStreamReader<AgentMessage> requestStream, IServerStreamWriter<ControlMessage> responseStream, ServerCallContext context)
    {
        var session = await opening.OpenAsync(requestStream, context.Agent(), context.CancellationToken);
        await stream.RunAsync(session, requestStream, responseStream, context.CancellationToken);
    }
}
