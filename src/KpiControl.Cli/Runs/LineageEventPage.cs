using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Runs;

internal static class LineageEventPage
{
    public static void Print(Session session, IReadOnlyCollection<DeadEvent> events)
    {
        if (events.Count == 0)
        {
            session.World.Error.WriteLine("no lineage event was given up");
            return;
        }
        var table = new TextTable("ID", "JOB", "EVENT", "ATTEMPT", "GIVEN UP", "TRIES", "WHY").Numeric(0, 5);
        foreach (var one in events)
            table.Row($"{one.EventId}", $"{one.Tenant}/{one.Environment}/{one.JobId}", one.EventType, one.AttemptId, Ages.Relative(one.GivenUpAt, session.World.Clock.GetUtcNow()), one.Tries, one.LastError);
        table.WriteTo(session.World);
    }
}
