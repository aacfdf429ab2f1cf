using KpiControl.Agent.ControlPlane;
using KpiControl.Agent.Execution;
using KpiControl.Agent.Leasing;
using KpiControl.Agent.Outbox;
using KpiControl.Agent.Secrets;
using KpiControl.Agent.Secrets.Stores;
using KpiControl.Agent.Telemetry;
using KpiControl.Agent.Witness;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Hosting;

/// <summary>The agent's table of contents.</summary>
internal static class AgentServices
{
    public static IServiceCollection AddAgent(this IServiceCollection services)
    {
        services.AddAgentHosting();
        services.AddHealth(); // first: services stop in reverse, and a stopping agent is still asked
        services.AddSecrets();
        services.AddOutbox(); // before Leasing: services stop in reverse, and the last results need it
        services.AddExecution();
        services.AddControlPlane();
        services.AddLeasing();
        services.AddWitness();
        return services;
    }

    private static void AddAgentHosting(this IServiceCollection services)
    {
        services.AddValidated<AgentOptions>(AgentOptions.Section);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<AgentExit>();
        services.AddOptions<HostOptions>().Configure<IOptions<ExecutionOptions>>((host, execution) =>
            host.ShutdownTimeout = execution.Value.LongestStop + TimeSpan.FromSeconds(10));
    }

    private static void AddSecrets(this IServiceCollection services)
    {
        services.AddValidated<SecretsOptions>(SecretsOptions.Section);
        services.AddValidated<VaultOptions>(VaultOptions.Section);
        services.AddValidated<AzureKeyVaultOptions>(AzureKeyVaultOptions.Section);
        services.AddValidated<AwsSecretsOptions>(AwsSecretsOptions.Section);
        services.AddSingleton<SecretsInHand>();
        services.AddSingleton<SecretCache>();
        services.AddSingleton<SecretStores>();
        services.AddSingleton(p => p.GetRequiredService<SecretStores>().Open());
    }

    private static void AddHealth(this IServiceCollection services)
    {
        services.AddValidated<HealthOptions>(HealthOptions.Section);
        services.AddSingleton<Health>();
        services.AddSingleton<HealthEndpoint>();
        services.AddHostedService(p => p.GetRequiredService<HealthEndpoint>());
    }

    private static void AddOutbox(this IServiceCollection services)
    {
        services.AddValidated<OutboxOptions>(OutboxOptions.Section);
        services.AddSingleton<Outbox.Outbox>();
        services.AddHostedService(p => p.GetRequiredService<Outbox.Outbox>());
    }

    private static void AddExecution(this IServiceCollection services)
    {
        services.AddValidated<ExecutionOptions>(ExecutionOptions.Section);
        services.AddSingleton<IValidateOptions<AgentOptions>, ConnectionFileValidation>();
        services.TryAddSingleton(ExecutorTable.FromFile);
        services.AddSingleton<ExecutionBounds>();
        services.AddSingleton<AttemptTelemetry>();
        services.AddSingleton<AttemptRunner>();
        services.AddSingleton<Attempts>();
    }

    private static void AddControlPlane(this IServiceCollection services)
    {
        services.AddValidated<ControlPlaneOptions>(ControlPlaneOptions.Section);
        services.AddSingleton<ControlDoor>();
        services.AddSingleton<IdentityFile>();
        services.AddSingleton<CertificateKeeper>();
    }

    private static void AddLeasing(this IServiceCollection services)
    {
        services.AddValidated<LeasingOptions>(LeasingOptions.Section);
        services.AddSingleton(p => new Slots(p.GetRequiredService<IOptions<AgentOptions>>().Value.Slots));
        services.AddSingleton(p => new TrustWindow(p.GetRequiredService<TimeProvider>(), p.GetRequiredService<IOptions<LeasingOptions>>().Value.TrustMargin));
        services.AddSingleton<Outbound>();
        services.AddSingleton<Inbound>();
        services.AddSingleton<AgentSession>();
        services.AddSingleton<StreamClock>();
        services.AddSingleton<LeaseStream>();
        services.AddSingleton<StreamOpener>();
        services.AddSingleton<TrustGuard>();
        services.AddSingleton<Drainage>();
        services.AddHostedService<CertificateRenewal>();
        services.AddHostedService<LeaseLoop>();
    }

    private static void AddWitness(this IServiceCollection services)
    {
        services.AddValidated<WitnessOptions>(WitnessOptions.Section);
        services.AddHostedService<Witness.Witness>();
    }

    private static void AddValidated<T>(this IServiceCollection services, string section) where T : class =>
        services.AddOptions<T>().BindConfiguration(section).ValidateDataAnnotations().ValidateOnStart();
}
