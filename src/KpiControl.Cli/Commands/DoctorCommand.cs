using System.CommandLine;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class DoctorCommand
{
    // Each check is stopped by itself after half a minute.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    public static Command Create() =>
        new Command("doctor", "Check that what is promised holds in the database; fails where a row breaks it") { DoctorZonesCommand.Create() }.Online().With(SharedOptions.Output).Does(Diagnose);

    private static async Task<int> Diagnose(Session session)
    {
        var answer = await session.Doctor.DiagnoseAsync(new DiagnoseRequest(), session.CallWithin(Longest));
        session.Answer.Print(answer, () => Print(session, answer), () => answer.Checks.Where(check => check.Outcome != "ok").Select(check => check.Name));
        return answer.Checks.All(check => check.Outcome is "ok" or "open") ? ExitCode.Done : ExitCode.Failed;
    }

    private static void Print(Session session, DiagnoseResponse answer)
    {
        var table = new TextTable("CHECK", "PROMISE", "OUTCOME", "TOOK");
        foreach (var check in answer.Checks)
            table.Row(check.Kind, check.Name, Word(check), FormattableString.Invariant($"{check.Took.ToTimeSpan().TotalSeconds:0.00}s"));
        table.WriteTo(session.World);
        foreach (var check in answer.Checks.Where(check => check.Rows.Count > 0))
        {
            session.World.Error.WriteLine($"{check.Kind}, {check.Name}:");
            foreach (var row in check.Rows)
                session.World.Error.WriteLine($"  {row}");
            if (check.More)
                session.World.Error.WriteLine("  … and more");
        }
        if (answer.Checks.Any(check => check.Outcome == "unknown"))
            session.World.Error.WriteLine("unknown: the check was stopped after half a minute; run it at a quieter hour");
    }

    private static string Word(Diagnosis check) => check.Outcome switch { "ok" => "OK", "broken" => "BROKEN", "open" => "OPEN", var other => other };
}
