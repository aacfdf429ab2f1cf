using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Cli.Runs;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class ExplainCommand
{
    private static readonly Argument<string> Job = new("JOB|run/ID") { Description = "A job as in get, or one of its runs: run/ID, or an attempt's id" };
    private static readonly Argument<string?> Time = new("TIME|SLOT_KEY")
    {
        Description = "As other commands print them: the occurrence at or before an instant, or the one of a slot_key; absent: the open one, else the last that ended",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private static readonly Option<string?> Slot = new("--slot") { Description = "An occurrence by its slot_key", HelpName = "SLOT_KEY" };

    public static Command Create() =>
        new Command("explain", "Why an occurrence ran, ran late, waits, was skipped or did not run: facts in order") { Job, Time }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Slot, SharedOptions.Output)
            .Does(Explain);

    private static async Task<int> Explain(Session session)
    {
        var answer = await session.Jobs.ExplainOccurrenceAsync(await Request(session), session.Call);
        session.Answer.Print(answer, () => Print(session.World, answer), () => [answer.SlotKey]);
        return ExitCode.Done;
    }

    private static async Task<ExplainOccurrenceRequest> Request(Session session)
    {
        var (subject, when) = (session.Value(Job)!, session.Value(Time));
        if (RunAddress.Of(subject) is { } run)
        {
            if (when is not null || session.Value(Slot) is not null)
                throw new Refusal($"{subject} says which occurrence already", $"kpictl explain {subject}");
            var detail = await session.Jobs.GetRunAsync(run, session.Call);
            return new ExplainOccurrenceRequest { BindingId = detail.Run.BindingId, SlotKey = detail.Run.SlotKey };
        }
        if (when is not null && session.Value(Slot) is not null)
            throw new Refusal("explain takes a TIME or --slot, one of them");
        var address = JobAddress.Parse(subject, session.Target);
        var slot = session.Value(Slot) ?? (IsSlotKey(when) ? when : null);
        return new ExplainOccurrenceRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId, SlotKey = slot ?? "",
            At = when is null || slot is not null ? null : Timestamp.FromDateTimeOffset(Times.Instant(when, "TIME", session.World.Clock)),
        };
    }

    // schedule:2026-01-02T02:00:00Z and the like: no instant begins with a letter.
    private static bool IsSlotKey(string? text) => text is [>= 'a' and <= 'z', ..] && text.Contains(':', StringComparison.Ordinal);

    private static void Print(Surroundings world, ExplainOccurrenceResponse answer)
    {
        world.Out.WriteLine(Talk.OneLine(answer.SlotKey.Length > 0 ? $"{answer.SlotKey}: {answer.Answer}" : answer.Answer));
        if (answer.Facts.Count == 0)
            return;
        Sheet.Heading(world, "FACTS");
        var table = new TextTable("AT", "WHAT", "HOW", "SEE");
        foreach (var fact in answer.Facts)
            table.Row(Ages.Absolute(fact.At), fact.Kind, fact.Text, fact.Reference);
        table.WriteTo(world);
    }
}
