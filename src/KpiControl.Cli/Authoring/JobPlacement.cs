using System.Globalization;
using System.Text;
using Google.Rpc;
using Grpc.Core;
using KpiControl.Cli.Connection;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Authoring;

/// <summary>Puts one artifact where it shall run: creates its binding, or rebinds the one that is there.</summary>
internal sealed class JobPlacement(Session session, string environment, string region, bool validateOnly)
{
    public async Task<ApplyOutcome> Place(string file)
    {
        var content = Encoding.UTF8.GetString(FileSet.Read(file));
        var format = file.EndsWith(".json", StringComparison.OrdinalIgnoreCase) ? "json" : "yaml";
        try
        {
            var made = await session.Jobs.CreateJobAsync(new CreateJobRequest
            {
                Environment = environment, Region = region, Format = format, Content = content,
                ValidateOnly = validateOnly, RequestId = Session.RequestId(validateOnly),
            }, session.Call);
            return new ApplyOutcome(file, made.NeedsApproval ? "proposed" : made.Created ? "created" : "unchanged", made) { RegionAsked = region.Length > 0 };
        }
        catch (RpcException exists) when (exists.StatusCode == Grpc.Core.StatusCode.AlreadyExists && BindingIn(exists) is { } bindingId)
        {
            return await Rebind(file, format, content, bindingId);
        }
    }

    // With the etag of what was compared: a binding that somebody else changes meanwhile is theirs.
    private async Task<ApplyOutcome> Rebind(string file, string format, string content, long bindingId)
    {
        var there = await session.Jobs.GetJobAsync(new GetJobRequest { BindingId = bindingId }, session.Call);
        if (region.Length > 0 && there.Region != region)
            throw new Refusal($"{Jobs.JobAddress.NameOf(there)} is bound in region {there.Region}, and a binding does not move",
                $"leave --region out, or give another environment or job_id for {region}", Cli.ExitCode.Failed);
        var answer = await session.Jobs.UpdateJobAsync(new UpdateJobRequest
        {
            BindingId = bindingId, Etag = there.Etag, Format = format, Content = content,
            ValidateOnly = validateOnly, RequestId = Session.RequestId(validateOnly),
        }, session.Call);
        return new ApplyOutcome(file, answer.NeedsApproval ? "proposed" : answer.Rebound ? "rebound" : "unchanged", AsCreated(answer, there)) { From = there.ContentHash };
    }

    private static CreateJobResponse AsCreated(UpdateJobResponse answer, Job there)
    {
        var now = answer.Job ?? there;
        var result = new CreateJobResponse
        {
            BindingId = answer.BindingId, DefId = answer.DefId, ContentHash = answer.ContentHash, Etag = answer.Etag,
            Tenant = now.Tenant, Environment = now.Environment, Region = now.Region, JobId = now.JobId, NextRunAt = now.NextRunAt, ChangeId = answer.ChangeId,
        };
        result.Findings.AddRange(answer.Findings);
        return result;
    }

    private static long? BindingIn(RpcException exists) =>
        exists.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Metadata.TryGetValue("binding_id", out var text) == true
        && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null;
}
