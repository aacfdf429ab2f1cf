using System.CommandLine;
using System.Globalization;
using System.Text;
using Grpc.Core;
using KpiControl.Cli.Evidence;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Runs;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class EvidenceCommand
{
    private static readonly Argument<string> Subject = new("RUN|PERIOD")
    { Description = "A run's number, run/ID or attempt id; or business dates, as 2026-01-01 or 2026-01-01..2026-01-31, with --job or --kpi" };
    private static readonly Option<string?> Job = new("--job") { Description = "Of a period: the runs of this job", HelpName = "JOB" };
    private static readonly Option<string?> Kpi = new("--kpi") { Description = "Of a period: the runs of all jobs of this KPI", HelpName = "KPI" };
    private static readonly Option<string?> To = new("--output", "-o") { Description = "Where to write the bundle [default: standard output]", HelpName = "FILE" };
    private static readonly Argument<string> Bundle = new("BUNDLE") { Description = "A bundle that was exported" };
    private static readonly Option<string[]> Key = new("--key")
    { Description = "PEM file with the public key, had from elsewhere than the bundle; again for keys of before", HelpName = "FILE", Required = true };

    // A month of a busy job takes longer than a call.
    private static readonly TimeSpan ExportTime = TimeSpan.FromMinutes(30);

    public static Command Create() => new("evidence", "Prove a reported number: export what led to it, signed, and verify such a bundle")
    {
        new Command("export", "Write what proves a run, or all runs of a period, as one signed bundle (docs/evidence-format.md)") { Subject }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Job, Kpi, To).Does(Export),
        new Command("verify", "Verify a bundle without any server, and name the first thing that does not fit") { Bundle }.With(Key).Does(Verify),
    };

    private static async Task<int> Export(Session session)
    {
        using var stream = session.Audit.ExportEvidence(Request(session), session.CallWithin(ExportTime));
        if (session.Value(To) is not { } file)
        {
            await foreach (var part in stream.ResponseStream.ReadAllAsync(session.Token))
                await session.World.Out.WriteAsync(part.Lines);
            return ExitCode.Done;
        }
        await WriteAsync(session, file, stream.ResponseStream);
        session.World.Error.WriteLine($"{file} written; verify it with: kpictl evidence verify {file} --key FILE");
        return ExitCode.Done;
    }

    // Beside the file first: one that a broken connection cut off never stands under the name.
    private static async Task WriteAsync(Session session, string file, IAsyncStreamReader<ExportEvidenceResponse> parts)
    {
        var partly = file + ".part";
        try
        {
            await using (var writer = new StreamWriter(partly, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)))
                await foreach (var part in parts.ReadAllAsync(session.Token))
                    await writer.WriteAsync(part.Lines.AsMemory(), session.Token);
            File.Move(partly, file, overwrite: true);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new Refusal($"{file} cannot be written: {Talk.OneLine(failed.Message)}", "name another file with -o, or leave it out and redirect standard output");
        }
        finally
        {
            File.Delete(partly);
        }
    }

    private static ExportEvidenceRequest Request(Session session)
    {
        var (subject, target) = (session.Value(Subject)!, session.Target);
        if ((RunAddress.Of(subject) ?? RunAddress.Number(subject)) is { } run)
            return new ExportEvidenceRequest { RunId = run.RunId, AttemptId = run.AttemptId };
        var dates = subject.Split("..", 2);
        if (!dates.All(date => DateOnly.TryParseExact(date, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _)))
            throw new Refusal($"'{subject}' names no run and no period", "give run/ID, or business dates as 2026-01-01..2026-01-31 with --job or --kpi");
        var request = new ExportEvidenceRequest { Tenant = target.Tenant ?? "", Environment = target.Environment ?? "", FirstDate = dates[0], LastDate = dates[^1] };
        switch (session.Value(Job), session.Value(Kpi))
        {
            case ({ } job, null):
                var address = JobAddress.Parse(job, target);
                (request.BindingId, request.Tenant, request.Environment, request.JobId) = (address.BindingId, address.Tenant, address.Environment, address.JobId);
                return request;
            case (null, { } kpi):
                request.KpiId = kpi;
                return request;
            default:
                throw new Refusal("a period is one of a job or of a KPI", "add --job JOB or --kpi KPI");
        }
    }

    private static async Task<int> Verify(Session session)
    {
        var keys = PublicKeys.Read(session.Value(Key)!);
        var verdict = EvidenceVerifier.Verify(await BytesAsync(session.Value(Bundle)!, session.Token), keys);
        keys.ForEach(key => key.Dispose());
        if (verdict.Finding is { } finding)
        {
            session.World.Out.WriteLine($"DOES NOT FIT: {Talk.OneLine(finding)}");
            return ExitCode.Failed;
        }
        Print(session.World, verdict.Runs);
        var statement = verdict.Statement!;
        session.World.Out.WriteLine($"whole: {verdict.Runs.Count} runs, {verdict.Documents} documents of {statement.Tenant}, signed by the key {verdict.KeyId} at {statement.ExportedAt} for {Talk.OneLine(statement.ExportedBy)}");
        return ExitCode.Done;
    }

    private static void Print(Surroundings world, IReadOnlyList<EvidencedRun> runs)
    {
        var table = new TextTable("RUN", "JOB", "DATE", "VIEW", "STATUS", "DEFINITION", "APPROVED BY", "AGENT", "SOURCES", "SLA");
        foreach (var run in runs)
            table.Row([run.RunId, run.Job, run.BusinessDate, run.RestatesRunId is { } reported ? $"restates {reported}" : "reported", run.Status, run.ContentHash, run.Approvers.Count == 0 ? "none asked for" : string.Join(", ", run.Approvers), run.Agent,
                string.Join(", ", run.Sources), run.SlaBreached switch { "true" => "breached", "false" => "kept", _ => "" }]);
        table.WriteTo(world);
        foreach (var run in runs)
            if (run.BreakGlass is { } glass)
                world.Out.WriteLine(Talk.OneLine($"run {run.RunId} was released by break-glass, change {glass.ChangeId}: {glass.Reason}; "
                    + (glass.ClosedBy is null ? "its review was open at the export" : $"reviewed by {glass.ClosedBy}: {glass.Comment}")));
    }

    private static async Task<byte[]> BytesAsync(string file, CancellationToken token)
    {
        try
        {
            return await File.ReadAllBytesAsync(file, token);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new Refusal($"{file} cannot be read: {Talk.OneLine(unreadable.Message)}", "name a bundle that kpictl evidence export wrote");
        }
    }
}
