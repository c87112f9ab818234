using Google.Protobuf;
using Grpc.Core;
using Vks.Machines.V1;
using Vks.Runtime.Machines;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Machines;

/// <summary>The machines API: wire to <see cref="KeptMachines"/> and back. What goes wrong becomes a status at the one place for that.</summary>
internal sealed class MachinesService(KeptMachines machines, HostReader host, CrxEngine engine) : Vks.Machines.V1.Machines.MachinesBase
{
    private const int MaxGraceSeconds = 600;

    /// <inheritdoc/>
    public override Task<Vks.Machines.V1.Host> GetHost(GetHostRequest request, ServerCallContext context) => host.ReadAsync(request.Link, [.. request.Probe], context.CancellationToken);

    /// <inheritdoc/>
    public override async Task<Vks.Machines.V1.Machine> SetMachine(SetMachineRequest request, ServerCallContext context)
    {
        MachineSettings settings = request.Settings ?? throw new KeptMachineException(KeptMachineFault.Invalid, request.Name, "The request has no settings.");
        return Write(await machines.SetAsync(request.Name, Read(settings), context.CancellationToken));
    }

    /// <inheritdoc/>
    public override async Task<PutFileResponse> PutFile(PutFileRequest request, ServerCallContext context)
    {
        await machines.PutFileAsync(request.Name, request.Path, request.Content.Memory, context.CancellationToken);
        return new PutFileResponse();
    }

    /// <inheritdoc/>
    public override async Task<Vks.Machines.V1.Machine> StartMachine(StartMachineRequest request, ServerCallContext context)
    {
        KeptMachine machine = machines.Find(request.Name);
        await machine.StartAsync(context.CancellationToken);
        return Write(machine);
    }

    /// <inheritdoc/>
    public override async Task<Vks.Machines.V1.Machine> StopMachine(StopMachineRequest request, ServerCallContext context)
    {
        if (request.GraceSeconds is < 0 or > MaxGraceSeconds)
        {
            throw new KeptMachineException(KeptMachineFault.Invalid, request.Name, $"grace_seconds {request.GraceSeconds} is not in 0 to {MaxGraceSeconds}.");
        }

        KeptMachine machine = machines.Find(request.Name);
        await machine.StopAsync(request.GraceSeconds == 0 ? KeptMachine.DefaultGrace : TimeSpan.FromSeconds(request.GraceSeconds), context.CancellationToken);
        return Write(machine);
    }

    /// <inheritdoc/>
    public override async Task<DeleteMachineResponse> DeleteMachine(DeleteMachineRequest request, ServerCallContext context)
    {
        await machines.DeleteAsync(request.Name, context.CancellationToken);
        return new DeleteMachineResponse();
    }

    /// <inheritdoc/>
    public override Task<Vks.Machines.V1.Machine> GetMachine(GetMachineRequest request, ServerCallContext context) => Task.FromResult(Write(machines.Find(request.Name)));

    /// <inheritdoc/>
    public override Task<ListMachinesResponse> ListMachines(ListMachinesRequest request, ServerCallContext context)
    {
        ListMachinesResponse response = new();
        response.Machines.AddRange(machines.All.Select(Write));
        return Task.FromResult(response);
    }

    /// <inheritdoc/>
    public override async Task<ReadFileResponse> ReadFile(ReadFileRequest request, ServerCallContext context)
    {
        KeptMachine machine = machines.Find(request.Name);
        KeptMachineRules.CheckPath(request.Name, request.Path);
        byte[]? content = await machine.ReadFileAsync(request.Path, context.CancellationToken);
        return content is null ? new ReadFileResponse() : new ReadFileResponse { Content = UnsafeByteOperations.UnsafeWrap(content) };
    }

    private static KeptMachineSettings Read(MachineSettings settings) => new()
    {
        VcpuCount = settings.Vcpus == 0 ? 1 : settings.Vcpus,
        MemoryMiB = settings.MemoryMib,
        DiskMiB = settings.DiskMib,
        Link = settings.Link,
        Addresses = [.. settings.Addresses],
        Gateway = settings.Gateway,
        SettingsFile = settings.SettingsFile,
    };

    private Vks.Machines.V1.Machine Write(KeptMachine machine)
    {
        KeptMachineRecord record = machine.Record;
        KeptMachineState state = machine.State;
        Vks.Runtime.Machines.Machine? running = machine.Machine;
        Vks.Machines.V1.Machine answer = new()
        {
            Name = record.Name,
            Settings = new MachineSettings
            {
                Vcpus = record.Settings.VcpuCount,
                MemoryMib = record.Settings.MemoryMiB,
                DiskMib = record.Settings.DiskMiB,
                Link = record.Settings.Link,
                Gateway = record.Settings.Gateway,
                SettingsFile = record.Settings.SettingsFile,
            },
            Phase = (MachinePhase)state.Phase,
            ShouldRun = record.ShouldRun,
            SinceUnixNanoseconds = UnixTime.Nanoseconds(state.Since),
            LastEnd = state.LastEnd,
            Starts = state.Starts,
            Mac = record.Mac,
            ProcessId = running?.Current.QemuPid ?? 0,
            MemoryUsedMib = running is not null && engine.MeasureHost(running) is { } usage ? (int)(usage.ProportionalBytes >> 20) : 0,
        };
        answer.Settings.Addresses.AddRange(record.Settings.Addresses);
        return answer;
    }
}
