using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>kpictl agents enrol, enrolments, register, revoke: who is let in, and who is shut out.</summary>
internal static class EnrolmentCommands
{
    private static readonly Argument<string> Name = new("AGENT") { Description = "The agent's name" };
    private static readonly Argument<string> Names = new("AGENT") { Description = "The agent's name, or what it begins with and a star: 'bank-eu-*'" };
    private static readonly Argument<long> Number = new("ENROLMENT") { Description = "Its number, as kpictl agents enrolments shows it" };
    private static readonly Option<string> Region = new("--region") { Description = "The region it serves", HelpName = "REGION", Required = true };
    private static readonly Option<string[]> Tenants = new("--tenants") { Description = "The tenants it serves", HelpName = "TENANT", Required = true, AllowMultipleArgumentsPerToken = true };
    private static readonly Option<TimeSpan?> ValidFor = new("--valid-for") { Description = "How long the token may be used [default: 1h]", HelpName = "DURATION", CustomParser = Times.DurationOption };
    private static readonly Option<bool> All = new("--all", "-a") { Description = "Those that were used, revoked or ran out, too" };

    public static void AddTo(Command agents)
    {
        agents.Add(new Command("enrol", "Make a one-time token, with which an agent gets its certificate; it is shown once") { Names }
            .Online().With(Region, Tenants, ValidFor, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Enrol));
        var enrolments = new Command("enrolments", "List the tokens that were made, or revoke one that was not used").Online().With(All, SharedOptions.Output).Does(List);
        enrolments.Add(new Command("revoke", "Revoke a token that was not used") { Number }
            .Online().With(SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(RevokeEnrolment));
        agents.Add(enrolments);
        agents.Add(new Command("register", "Say what an agent serves whose certificates an outside authority signs") { Name }
            .Online().With(Region, Tenants, SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Register));
        agents.Add(new Command("revoke", "Shut an agent out: its stream ends, its certificates never count again") { Name }
            .Online().With(SharedOptions.Reason, SharedOptions.DryRun, SharedOptions.Output).Does(Revoke));
    }

    private static async Task<int> Enrol(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var request = new CreateEnrolmentRequest
        {
            Agent = session.Value(Names)!, Region = session.Value(Region)!, Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
            ValidFor = session.Value(ValidFor) is { } validFor ? Duration.FromTimeSpan(validFor) : null,
        };
        request.Tenants.AddRange(Split(session));
        var made = await session.Fleet.CreateEnrolmentAsync(request, session.Call);
        session.Answer.Print(made, () =>
        {
            session.World.Error.WriteLine(dryRun ? "dry run: no token was made" : $"enrolment {made.EnrolmentId}: a token for {made.Agent} in {made.Region}, shown only now; it counts once, until {Ages.Absolute(made.ExpiresAt)}");
            if (!dryRun)
                session.World.Out.WriteLine(made.Token);
        }, () => dryRun ? [] : [made.Token]);
        return ExitCode.Done;
    }

    private static async Task<int> List(Session session)
    {
        var all = new ListEnrolmentsResponse();
        await Pages.Read(session, 1000, async (size, token) =>
        {
            var page = await session.Fleet.ListEnrolmentsAsync(new ListEnrolmentsRequest { IncludeEnded = session.Value(All), PageSize = size, PageToken = token }, session.Call);
            all.Enrolments.AddRange(page.Enrolments);
            all.NextPageToken = page.NextPageToken;
            return (page.Enrolments.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Table(all.Enrolments).WriteTo(session.World), () => all.Enrolments.Select(e => $"{e.EnrolmentId}"));
        return ExitCode.Done;
    }

    private static TextTable Table(IEnumerable<Enrolment> enrolments)
    {
        var table = new TextTable("ENROLMENT", "AGENT", "REGION", "TENANTS", "STATE", "EXPIRES", "USED BY", "MADE BY", "WHY").Numeric(0);
        foreach (var e in enrolments)
            table.Row(e.EnrolmentId, e.Agent, e.Region, string.Join(",", e.Tenants), Cell.Status(e.State), Ages.Absolute(e.ExpiresAt), e.UsedBy, e.CreatedBy, e.Reason);
        return table;
    }

    private static async Task<int> RevokeEnrolment(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var revoked = await session.Fleet.RevokeEnrolmentAsync(new RevokeEnrolmentRequest
        {
            EnrolmentId = session.Value(Number), Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(revoked, () => session.World.Out.WriteLine($"enrolment {revoked.EnrolmentId} is {revoked.State}{Rehearsed(dryRun)}"), () => [$"{revoked.EnrolmentId}"]);
        return ExitCode.Done;
    }

    private static async Task<int> Register(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var request = new RegisterAgentRequest
        {
            Agent = session.Value(Name)!, Region = session.Value(Region)!, Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        };
        request.Tenants.AddRange(Split(session));
        var agent = await session.Fleet.RegisterAgentAsync(request, session.Call);
        session.Answer.Print(agent, () => session.World.Out.WriteLine($"{agent.Agent} serves {string.Join(", ", agent.Tenants)} in {agent.Region}, from its next stream on{Rehearsed(dryRun)}"), () => [agent.Agent]);
        return ExitCode.Done;
    }

    private static async Task<int> Revoke(Session session)
    {
        var dryRun = session.Value(SharedOptions.DryRun);
        var agent = await session.Fleet.RevokeAgentAsync(new RevokeAgentRequest
        {
            Agent = session.Value(Name)!, Reason = session.Value(SharedOptions.Reason) ?? "", ValidateOnly = dryRun, RequestId = Session.RequestId(dryRun),
        }, session.Call);
        session.Answer.Print(agent, () => session.World.Out.WriteLine($"{agent.Agent} is revoked: {agent.RevokeReason}; back in by: kpictl agents enrol {agent.Agent}{Rehearsed(dryRun)}"), () => [agent.Agent]);
        return ExitCode.Done;
    }

    private static IEnumerable<string> Split(Session session) =>
        (session.Value(Tenants) ?? []).SelectMany(t => t.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    private static string Rehearsed(bool dryRun) => dryRun ? " (dry run: nothing was changed)" : "";
}
