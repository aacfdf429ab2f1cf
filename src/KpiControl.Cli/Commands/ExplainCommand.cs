using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Jobs;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class ExplainCommand
{
    private static readonly Argument<string> Job = JobAddress.Argument();
    private static readonly Argument<string?> Time = new("TIME")
    { Description = "The slot at or before this instant; absent: the open or next occurrence", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Slot = new("--slot") { Description = "An occurrence by its slot_key", HelpName = "SLOT_KEY" };

    public static Command Create(Surroundings world) =>
        new Command("explain", "Why an occurrence ran, ran late, waits, was skipped or did not run: facts in order") { Job, Time }
            .Online().With(SharedOptions.Tenant, SharedOptions.Environment, Slot, SharedOptions.Output)
            .Does(world, Explain);

    private static async Task<int> Explain(Session session)
    {
        var address = JobAddress.Parse(session.Value(Job)!, session.Target);
        var answer = await session.Jobs.ExplainOccurrenceAsync(new ExplainOccurrenceRequest
        {
            BindingId = address.BindingId, Tenant = address.Tenant, Environment = address.Environment, JobId = address.JobId,
            SlotKey = session.Value(Slot) ?? "",
            At = session.Value(Time) is { } text ? Timestamp.FromDateTimeOffset(Times.Instant(text, "TIME", session.World.Clock)) : null,
        }, session.Call);
        session.Answer.Print(answer, () => Print(session.World, answer), () => [answer.SlotKey]);
        return ExitCode.Done;
    }

    private static void Print(Surroundings world, ExplainOccurrenceResponse answer)
    {
        world.Out.WriteLine(Talk.OneLine(answer.Answer));
        if (answer.Facts.Count == 0)
            return;
        Sheet.Heading(world, answer.SlotKey.Length > 0 ? $"FACTS of {Talk.OneLine(answer.SlotKey)}" : "FACTS");
        var table = new TextTable("AT", "WHAT", "HOW", "SEE");
        foreach (var fact in answer.Facts)
            table.Row(Ages.Absolute(fact.At), fact.Kind, fact.Text, fact.Reference);
        table.WriteTo(world);
    }
}
