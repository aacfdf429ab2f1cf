using Grpc.Core;
using KpiControl.Control.Certificates;
using KpiControl.Control.Security;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Leases;

/// <summary>The agents' door: one stream each, and the certificates that open it.</summary>
internal sealed class AgentGrpcService(StreamOpening opening, AgentStream stream, AgentCertificates certificates) : AgentService.AgentServiceBase
{
    public override async Task Work(IAsyncStreamReader<AgentMessage> requestStream, IServerStreamWriter<ControlMessage> responseStream, ServerCallContext context)
    {
        var session = await opening.OpenAsync(requestStream, await certificates.AdmitAsync(context.Agent(), context.CancellationToken), context.CancellationToken);
        await stream.RunAsync(session, requestStream, responseStream, context.CancellationToken);
    }

    public override Task<AgentCertificate> Enroll(EnrollRequest request, ServerCallContext context) => certificates.EnrolAsync(request, context.CancellationToken);

    public override Task<AgentCertificate> Renew(RenewRequest request, ServerCallContext context) => certificates.RenewAsync(request, context.Agent(), context.CancellationToken);
}
