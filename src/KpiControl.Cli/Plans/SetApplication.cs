using System.Security.Cryptography;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Plans;

/// <summary>Applies a set of artifacts as it was planned: in one call, all of it or nothing.</summary>
internal sealed class SetApplication(Session session, JobFiles files)
{
    // A thousand jobs are seconds of the control plane's work.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    public async Task<int> Run()
    {
        var saved = session.Value(PlanOptions.Plan) is { } file ? Saved(file) : null;
        var digest = session.Value(PlanOptions.PlanDigest) ?? saved?.Digest;
        var plan = saved;
        if (digest is null)
        {
            plan = await PlanNow();
            if (!plan.Jobs.Any(PlanWords.IsChange))
                return Print(new ApplyPlanResponse { PlanDigest = plan.Digest, Unchanged = plan.Jobs.Count }, dryRun: false);
            digest = plan.Digest;
        }
        var dryRun = session.Value(SharedOptions.DryRun);
        var request = Request(digest, plan, dryRun);
        return Print(await session.Changes.ApplyPlanAsync(request, session.CallWithin(session.Value(SharedOptions.Timeout) ?? Patience)), dryRun);
    }

    private async Task<Plan> PlanNow()
    {
        var plan = await session.Changes.PlanJobsAsync(PlanOptions.Request(session, files), session.CallWithin(session.Value(SharedOptions.Timeout) ?? Patience));
        var names = new JobNames(files.Paths);
        foreach (var job in plan.Jobs)
            FindingLines.Print(session.World.Error, names.FileOf(job), job.Findings);
        var invalid = plan.Jobs.Count(job => job.Action == "invalid");
        return invalid == 0 ? plan : throw new Refusal($"nothing was applied: {invalid} of {files.Paths.Count} files would be refused", "mend them and apply again", ExitCode.Failed);
    }

    private ApplyPlanRequest Request(string digest, Plan? plan, bool dryRun)
    {
        var set = PlanOptions.Request(session, files);
        var request = new ApplyPlanRequest
        {
            Tenant = set.Tenant, Environment = set.Environment, Region = set.Region, Source = set.Source, Prune = set.Prune, Artifacts = { set.Artifacts },
            PlanDigest = digest, Planned = plan is null ? null : Essence(plan), Reason = session.Value(SharedOptions.Reason) ?? "",
        };
        // The same plan of the same files is the same request: an apply whose answer was lost is safe to send again. A later plan may
        // say the same and still be another: what it pauses may have been resumed meanwhile.
        request.RequestId = dryRun ? "" : plan?.PlannedAt is { } at ? IdOf(request, at) : Session.RequestId(false);
        request.ValidateOnly = dryRun;
        return request;
    }

    /// <summary>A UUID (version 8) of all that is asked, and of when it was planned.</summary>
    private static string IdOf(ApplyPlanRequest request, Timestamp plannedAt)
    {
        var bytes = SHA256.HashData([.. request.ToByteArray(), .. plannedAt.ToByteArray()])[..16];
        (bytes[6], bytes[8]) = ((byte)(0x80 | (bytes[6] & 0x0f)), (byte)(0x80 | (bytes[8] & 0x3f)));
        return new Guid(bytes, bigEndian: true).ToString();
    }

    // What the digest is taken over; the rest is for people, and may be long.
    private static Plan Essence(Plan plan) => new()
    {
        Digest = plan.Digest, Tenant = plan.Tenant, Environment = plan.Environment, Source = plan.Source, Prune = plan.Prune, PolicyVersion = plan.PolicyVersion,
        Jobs =
        {
            plan.Jobs.Select(job => new PlannedJob
            {
                JobId = job.JobId, Region = job.Region, Action = job.Action, BaseEtag = job.BaseEtag, BaseContentHash = job.BaseContentHash,
                ContentHash = job.ContentHash, ContractDigest = job.ContractDigest, LastChangeId = job.LastChangeId, CalendarVersion = job.CalendarVersion,
            }),
        },
    };

    private static Plan Saved(string file)
    {
        try
        {
            var plan = new JsonParser(JsonParser.Settings.Default.WithIgnoreUnknownFields(true)).Parse<Plan>(System.Text.Encoding.UTF8.GetString(FileSet.Read(file)));
            return plan.Digest.Length > 0 ? plan : throw new Refusal($"{file} is a plan that cannot be applied: an artifact of it is invalid", "mend it and plan again", ExitCode.Failed);
        }
        catch (Exception broken) when (broken is InvalidProtocolBufferException or InvalidJsonException)
        {
            throw new Refusal($"{file} is not a plan", "save one with: kpictl plan PATH -o json > plan.json", ExitCode.Failed);
        }
    }

    private int Print(ApplyPlanResponse applied, bool dryRun)
    {
        session.Answer.Print(applied, () => PrintTable(applied, dryRun), () => applied.Jobs.Select(job => job.JobId));
        return ExitCode.Done;
    }

    private void PrintTable(ApplyPlanResponse applied, bool dryRun)
    {
        var now = session.World.Clock.GetUtcNow();
        var wide = session.Answer.Wide;
        var table = new TextTable("JOB", "OUTCOME", "REGION", "BINDING", "CONTENT_HASH", "NEXT_RUN").Numeric(3);
        foreach (var job in applied.Jobs)
            table.Row(job.JobId, new Cell(job.Outcome + (dryRun ? " (dry run)" : ""), Cell.Status(job.Outcome).Style), job.Region, job.BindingId,
                wide ? job.ContentHash : Jobs.JobTable.ShortHash(job.ContentHash), wide ? Ages.Absolute(job.NextRunAt) : Ages.Relative(job.NextRunAt, now));
        if (applied.Jobs.Count > 0)
            table.WriteTo(session.World);
        session.World.Out.Flush();
        session.World.Error.WriteLine($"{(applied.Jobs.Count == 0 ? "nothing to do" : string.Join(", ", applied.Jobs.GroupBy(job => job.Outcome).Select(jobs => $"{jobs.Count()} {jobs.Key}")))}, {applied.Unchanged} unchanged");
        // Where a job runs is no small matter to be left to a default in silence.
        if (!session.Has(PlanOptions.Region) && applied.Jobs.Where(job => job.Outcome == "created").Select(job => job.Region).Distinct().ToList() is [var home])
            session.World.Error.WriteLine($"no --region was given: {home} is the tenant's home region");
        foreach (var proposed in applied.Jobs.Where(job => job.ChangeId > 0))
            session.World.Error.WriteLine($"{proposed.JobId} is put in force once change {proposed.ChangeId} is approved: kpictl changes {proposed.ChangeId}");
    }
}
